// Answers over HTTP, from the server that ``layerscope serve`` starts.

/** @import {Transport} from "./store.js" */

/** @param {Response} answer */
async function refused(answer) {
  const told = await answer.json().catch(() => null);
  return new Error(told?.message ?? `The server answered ${answer.status} ${answer.statusText}.`);
}

/** @param {unknown} problem */
function unreachable(problem) {
  if (problem instanceof DOMException && problem.name === "AbortError") return problem;
  if (problem instanceof TypeError) {
    return new Error("layerscope no longer answers. Start `layerscope serve` again and reload.");
  }
  return problem;
}

/**
 * @param {string} base  the address that paths are relative to
 * @returns {Transport}
 */
export function http(base) {
  /** @param {string} path @param {RequestInit} [options] */
  const ask = async (path, options) => {
    try {
      const answer = await fetch(new URL(path, base), options);
      if (!answer.ok) throw await refused(answer);
      return answer;
    } catch (problem) {
      throw unreachable(problem);
    }
  };
  return {
    kind: "http",
    bytes: async (path, { signal } = {}) => (await ask(path, { signal })).arrayBuffer(),
    events: async (path, onEvent, signal) => {
      const answer = await ask(path, { signal, headers: { Accept: "text/event-stream" } });
      if (!answer.body) return;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const parts = (rest + value.replaceAll("\r\n", "\n")).split("\n\n");
        rest = parts.pop() ?? "";
        for (const part of parts) {
          const lines = part.split("\n");
          const event = lines
            .find((line) => line.startsWith("event:"))
            ?.slice(6)
            .trim();
          const data = lines
            .filter((line) => line.startsWith("data:"))
            .map((line) => line.slice(5));
          if (event && data.length) onEvent(event, JSON.parse(data.join("\n")));
          if (event === "ready" || event === "failed") return void reader.cancel();
        }
      }
    },
    post: async (path, body, name, signal) => {
      const headers = { "X-Filename": encodeURIComponent(name) };
      return (await ask(path, { method: "POST", body, headers, signal })).json();
    },
    remove: async (path) => void (await ask(path, { method: "DELETE" })),
  };
}
