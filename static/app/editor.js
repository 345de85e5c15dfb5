/* What is typed in the editor stays in this tab until it is saved: a session that ends meanwhile takes nothing along. */
(() => {
  "use strict";
  const saved = document.querySelector("[data-saved]")?.dataset.saved;
  const box = document.querySelector("textarea[data-keep]");
  const key = (path) => `typed:${path}`;
  try {
    if (saved) sessionStorage.removeItem(key(saved));
    if (!box) return;
    const notice = document.querySelector("[data-typed]");
    const forget = () => {
      sessionStorage.removeItem(key(location.pathname));
      notice.hidden = true;
    };
    const typed = sessionStorage.getItem(key(location.pathname));
    notice.hidden = typed === null || typed === box.value;
    box.addEventListener("input", () => sessionStorage.setItem(key(location.pathname), box.value));
    const refused = document.querySelector("[data-not-kept]");
    for (const [kind, lost] of [["htmx:responseError", true], ["htmx:sendError", true], ["htmx:afterSwap", false]])
      document.addEventListener(kind, ({ detail }) => {
        if (detail.elt?.matches("[data-autosave], #kept")) refused.hidden = !lost;
      });
    notice.querySelector("[data-forget]").addEventListener("click", forget);
    notice.querySelector("[data-bring-back]").addEventListener("click", () => {
      box.value = typed;
      notice.hidden = true;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.focus();
    });
  } catch {
    // A browser that keeps nothing: what is typed is kept by the server every two seconds all the same.
  }
})();
