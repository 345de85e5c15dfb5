/* Sets the reader's display choices before the first paint, so that nothing flashes. The only thing kept in the browser. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.dataset.js = "";
  try {
    Object.assign(root.dataset, JSON.parse(localStorage.getItem("display") || "{}"));
  } catch {
    // Storage may be forbidden: the page follows the system then.
  }
})();
