// What went wrong, in words for a person.

/** @param {unknown} problem */
export const messageOf = (problem) =>
  problem instanceof Error ? problem.message : String(problem);
