/* The command palette: Ctrl+K or its button opens it, arrows choose, Enter goes. The server filters and knows the rights. */
(() => {
  "use strict";
  const palette = document.querySelector("#palette");
  if (!palette) return;
  const query = palette.querySelector("#palette-query");
  const list = palette.querySelector("#palette-list");
  const links = () => [...list.querySelectorAll("a[href]")];
  let wantsFirst = false;

  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    palette.showModal();
    query.focus();
    query.select();
    htmx.trigger(query.form, "opened");
  };

  // Enter in the field takes the first that can be taken, once the list answers what stands in the field.
  const goFirst = () => {
    const answered = list.querySelector("[data-query]")?.dataset.query === query.value.trim();
    wantsFirst = !answered;
    if (answered) links()[0]?.click();
  };

  const move = (event, step) => {
    const places = [query, ...links()];
    const next = places[places.indexOf(document.activeElement) + step];
    event.preventDefault();
    next?.focus();
  };

  document.addEventListener("keydown", (event) => {
    const asked = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
    if (asked) {
      event.preventDefault();
      if (palette.open) palette.close();
      else open();
    } else if (palette.open && event.key === "ArrowDown") move(event, 1);
    else if (palette.open && event.key === "ArrowUp") move(event, -1);
  });

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest("[data-palette]")) return;
    event.preventDefault();
    open();
  });

  query.form.addEventListener("submit", (event) => {
    event.preventDefault();
    goFirst();
  });
  list.addEventListener("htmx:afterSwap", () => wantsFirst && palette.open && goFirst());
  palette.addEventListener("close", () => (wantsFirst = false));
})();
