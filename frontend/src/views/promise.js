// A promise's value for a view.

import { useEffect, useState } from "preact/hooks";

/**
 * What a promise gives; null until then, and where it is refused.
 * @template T
 * @param {(() => Promise<T>) | null} make
 * @param {unknown[]} needs
 * @returns {T | null}
 */
export function usePromise(make, needs) {
  const [value, setValue] = useState(/** @type {T | null} */ (null));
  useEffect(() => {
    let wanted = true;
    if (!make) setValue(null);
    else
      make().then(
        (given) => wanted && setValue(given),
        () => wanted && setValue(null),
      );
    return () => void (wanted = false);
  }, needs);
  return value;
}
