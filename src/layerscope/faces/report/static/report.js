"use strict";
(() => {
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const byId = (id) => document.getElementById(id);
  const images = all("img[data-picture]");
  const blank = images.length ? images[0].src : "";
  const nav = document.querySelector("nav");

  // Pictures: decoded when they come near, released when they are far.
  const hovers = new Map();
  const bytesOf = (text) =>
    Uint8Array.fromBase64
      ? Uint8Array.fromBase64(text)
      : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const show = (image) => {
    if (image.src !== blank) return;
    const held = JSON.parse(byId(`picture-${image.dataset.picture}`).textContent);
    if (held.hover) hovers.set(image, held.hover);
    image.src = URL.createObjectURL(new Blob([bytesOf(held.base64)], { type: held.kind }));
  };
  const release = (image) => {
    if (image.src === blank) return;
    URL.revokeObjectURL(image.src);
    image.src = blank;
    hovers.delete(image);
  };
  const watcher = new IntersectionObserver(
    (seen) => {
      for (const entry of seen) (entry.isIntersecting ? show : release)(entry.target);
    },
    { rootMargin: "1200px 0px" },
  );
  for (const image of images) watcher.observe(image);

  // Fit to the width, or natural size with the clicked place kept in sight.
  const toggle = (frame, x = 0) => {
    const image = frame.firstElementChild;
    if (!frame.classList.contains("fit") && frame.scrollWidth <= frame.clientWidth) return;
    const share = x / image.clientWidth;
    if (!frame.classList.toggle("fit"))
      frame.scrollLeft = share * image.clientWidth - frame.clientWidth / 2;
  };
  document.addEventListener("click", (event) => {
    const image = event.target.closest?.("img[data-picture]");
    if (image) toggle(image.parentElement, event.offsetX);
  });

  // The channel and range under the pointer.
  const tip = document.body.appendChild(document.createElement("div"));
  tip.id = "tip";
  tip.hidden = true;
  const short = (value) => (value === null ? "–" : String(value).replace("-", "−"));
  const at = (list, i) => (Array.isArray(list) ? list[i] : list);
  const channelAt = (hover, x, y) => {
    let first = 0;
    const [width, height] = hover.size;
    for (const [top, left, step, count] of hover.rows) {
      if (y >= top && y < top + height && x >= left) {
        const i = step ? Math.floor((x - left) / step) : 0;
        if (i < count && x - left - i * step < width) return first + i;
      }
      first += count;
    }
    return -1;
  };
  document.addEventListener("pointermove", (event) => {
    const image = event.target.closest?.("img[data-picture]");
    const hover = image && hovers.get(image);
    const scale = hover ? Number(image.getAttribute("width")) / image.clientWidth : 1;
    const i = hover ? channelAt(hover, event.offsetX * scale, event.offsetY * scale) : -1;
    tip.hidden = i < 0;
    if (image) image.parentElement.classList.toggle("wide", image.parentElement.scrollWidth > image.parentElement.clientWidth);
    if (i < 0) return;
    const [low, high] = [at(hover.low, i), at(hover.high, i)];
    const range = low === high ? `constant ${short(low)}` : `${short(low)} … ${short(high)}`;
    tip.textContent = `channel ${hover.channel[i]}: ${range}`;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 18, innerHeight - tip.offsetHeight - 8)}px`;
  });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // Folding, and going to a layer inside a folded block.
  const blocks = all("details.block");
  const fold = (open) => { for (const block of blocks) block.open = open; };
  byId("open-all").addEventListener("click", () => fold(true));
  byId("fold-all").addEventListener("click", () => fold(false));
  const links = new Map(all("nav li a").map((link) => [link.hash.slice(1), link]));
  let here = null;
  const mark = (target) => {
    for (const old of all(".here, .current")) old.classList.remove("here", "current");
    here = target;
    target.classList.add("here");
    const link = links.get(target.id);
    link?.classList.add("here");
    link?.closest(".part").classList.add("current");
    link?.scrollIntoView({ block: "nearest" });
  };
  const go = (target) => {
    const block = target.closest("details.block");
    if (block) block.open = true;
    mark(target);
    target.scrollIntoView({ block: "start" });
    target.focus({ preventScroll: true });
  };
  const goToHash = () => {
    const target = byId(location.hash.slice(1));
    if (target?.matches(".layer, .block")) go(target);
  };
  addEventListener("hashchange", goToHash);
  goToHash();

  // Keys.
  const layers = all(".layer");
  const place = () => {
    const box = here?.getBoundingClientRect();
    if (here?.matches(".layer") && box.bottom > 0 && box.top < innerHeight) return layers.indexOf(here);
    const first = layers.findIndex((layer) => layer.getClientRects().length && layer.getBoundingClientRect().bottom > 80);
    return first < 0 ? layers.length - 1 : first - 1;
  };
  const filter = byId("filter");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing) {
      filter.focus();
      filter.select();
    } else if (event.key === "Escape" && event.target === filter) {
      filter.value = "";
      sift();
      filter.blur();
    } else if (event.key === "Enter" && event.target === filter) {
      const link = all("nav li:not([hidden]) > a").find((a) => a.hash.startsWith("#layer") && !a.closest("[hidden]"));
      if (link) location.hash === link.hash ? goToHash() : (location.hash = link.hash);
    } else if (event.key === "Enter" && event.target.matches(".frame")) {
      toggle(event.target);
    } else if (!typing && !event.target.matches(".frame")) {
      const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const target = layers[Math.min(Math.max(place() + step, 0), layers.length - 1)];
      if (target) go(target);
    } else return;
    event.preventDefault();
  });

  // The filter of the table of contents.
  const parts = all("nav .part");
  nav.classList.toggle("long", layers.length > 60);
  const sift = () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const part of parts) {
      let some = false;
      const title = part.firstElementChild.textContent.toLowerCase().includes(wanted);
      for (const row of all("li", part)) {
        row.hidden = !title && !row.textContent.toLowerCase().includes(wanted);
        some ||= !row.hidden;
      }
      part.hidden = !some;
      part.classList.toggle("found", wanted !== "" && some);
    }
  };
  filter.addEventListener("input", sift);

  // Another input.
  byId("sample")?.addEventListener("change", (event) => {
    for (const part of all("[data-sample]")) part.hidden = part.dataset.sample !== event.target.value;
  });
})();
