/* Opens an action beside the page: the fragments of its full pages, in a dialog that gives the focus back when it closes. */
(() => {
  "use strict";
  const one = (selector, within = document) => within.querySelector(selector);
  const drawer = one("#drawer");
  if (!drawer) return;
  const part = one("#drawer-part");
  const title = one("#drawer-title");
  const failed = one("[data-failed]", drawer);
  const full = one("[data-full]", drawer);
  // What is said to the reader must be said inside: behind a modal dialog nothing is seen or read aloud.
  const said = [one("#toast"), one("#announcer")];
  let opener = null;
  let stage = "";

  const load = async (verb, url, values) => {
    if (drawer.ariaBusy === "true") return;
    drawer.ariaBusy = "true";
    failed.hidden = true;
    try {
      await htmx.ajax(verb, url, { source: part, target: part, swap: "innerHTML", values });
    } catch {
      failed.hidden = !drawer.open;
    } finally {
      drawer.ariaBusy = "false";
    }
  };

  const show = (from) => {
    title.textContent = from.dataset.drawer;
    if (drawer.open) return;
    from.closest("dialog")?.close();
    opener = from.checkVisibility() ? from : document.activeElement;
    part.replaceChildren();
    stage = "";
    drawer.showModal();
    drawer.append(...said);
    title.focus();
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-drawer]");
    const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button;
    if (drawer.contains(event.target.closest("[data-leave]"))) {
      event.preventDefault();
      drawer.close();
    }
    if (!link || elsewhere || event.defaultPrevented) return;
    event.preventDefault();
    show(link);
    full.href = link.href;
    const values = Object.fromEntries(new URL(link.href).searchParams);
    if (link.dataset.plan) load("POST", link.dataset.plan, values);
    else load("GET", link.getAttribute("href"));
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const inside = drawer.contains(form) && form.method === "post";
    if (event.defaultPrevented || !(inside || form.dataset.drawer)) return;
    event.preventDefault();
    const values = new FormData(form, event.submitter);
    if (!inside) show(form);
    load("POST", form.getAttribute("action"), values);
  });

  // A new part puts the focus on what is wrong with the form, else on the heading; never on a button.
  part.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target === part) (one("[aria-invalid='true']", part) || title).focus();
  });
  part.addEventListener("htmx:afterSettle", () => {
    full.href = one("[data-page]", part)?.dataset.page || full.href;
    const now = one("[aria-current='step']", part)?.textContent.trim() || "";
    if (now && now !== stage) said[1].textContent = `Stage ${now}`;
    stage = now;
  });
  part.addEventListener("htmx:responseError", ({ target }) => (failed.hidden &&= target !== part));
  part.addEventListener("htmx:beforeSwap", ({ detail }) => (detail.shouldSwap &&= drawer.open));

  drawer.addEventListener("close", () => {
    htmx.trigger(part, "htmx:abort");
    part.replaceChildren();
    document.body.append(...said);
    (opener?.isConnected ? opener : one("#main")).focus();
    for (const region of document.querySelectorAll("[data-poll]")) htmx.trigger(region, "refresh");
  });
})();
