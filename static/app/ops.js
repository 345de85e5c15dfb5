/* What every page does: tell whether it is live, announce changes of state, shortcuts, display choices, copy, hold. */
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const OFFLINE = "No connection to NovaOps: actions wait until the page is live again.";

  // A poll never overwrites what is being typed, nor folds what the reader unfolded.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "open" && node.matches("details, dialog")) && !(name === "tabindex" && node === document.activeElement);

  const say = (words) => (one("#announcer").textContent = words);
  const toast = (words) => {
    const box = document.createElement("p");
    box.textContent = words;
    one("#toast").replaceChildren(box);
  };
  new MutationObserver(() => {
    const shown = one("#toast").firstElementChild;
    if (shown) setTimeout(() => shown.remove(), 10000);
  }).observe(one("#toast"), { childList: true });

  // Live, Reconnecting, Offline.
  const WORDS = { live: "Live", reconnecting: "Reconnecting", offline: "Offline" };
  let failures = 0;
  const showLive = (state) => {
    const pill = one("#live");
    if (!pill || root.dataset.live === state) return;
    const before = root.dataset.live;
    root.dataset.live = pill.dataset.live = state;
    pill.hidden = false;
    one("span", pill).textContent = WORDS[state];
    if (before) (state === "live" ? say : toast)(state === "live" ? "Live again" : OFFLINE);
    lockActions();
  };
  const judge = () => showLive(!navigator.onLine || failures > 5 ? "offline" : failures > 1 ? "reconnecting" : "live");
  const away = () => root.dataset.live && root.dataset.live !== "live";
  const lockActions = () =>
    all("[data-act]").forEach((action) => {
      action.title = action.dataset.refused || (away() ? OFFLINE : "");
      if (action.title) action.setAttribute("aria-disabled", "true");
      else action.removeAttribute("aria-disabled");
    });
  const refresh = () => all("[data-poll]").forEach((region) => htmx.trigger(region, "refresh"));
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.elt.matches("[data-poll]")) return;
    failures = detail.successful ? 0 : failures + 1;
    judge();
  });
  // A poll under way while a proof in some tab changes the session is refused once; twice is the end of the session.
  const refused = new WeakSet();
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { elt, xhr } = event.detail;
    if (!elt.matches("[data-poll]")) return;
    if (xhr.status !== 401) refused.delete(elt);
    else if (!refused.has(elt)) {
      refused.add(elt);
      event.preventDefault();
    }
  });
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  addEventListener("offline", judge);
  addEventListener("online", () => (judge(), refresh()));
  for (const kind of ["click", "submit"])
    document.addEventListener(
      kind,
      (event) => {
        const action = (event.submitter || event.target).closest("[data-act]");
        if (action?.getAttribute("aria-disabled") !== "true") return;
        event.preventDefault();
        event.stopPropagation();
        toast(action.dataset.refused || OFFLINE);
      },
      true,
    );

  // What changed: the title, the icon of the tab, one polite sentence at most every five seconds.
  const title = document.title;
  const SIGNS = { crit: "✖", warn: "▲", unknown: "?" };
  const states = () => new Map(all("[data-announce]").map((tile) => [tile.dataset.announce, tile.dataset.word]));
  let known = states();
  let unsaid = [];
  let lastSaid = -Infinity;
  const flush = () => {
    if (!unsaid.length) return;
    lastSaid = performance.now();
    say(unsaid.join(". "));
    unsaid = [];
  };
  const announce = () => {
    const now = states();
    const changed = [...now].filter(([name, word]) => known.has(name) && known.get(name) !== word);
    if (!unsaid.length && changed.length) setTimeout(flush, Math.max(0, lastSaid + 5000 - performance.now()));
    unsaid.push(...changed.map(([name, word]) => `${name}: ${known.get(name)} → ${word}`));
    known = now;
  };
  const dress = () => {
    const state = one("[data-verdict]")?.dataset.verdict;
    if (!state) return;
    const count = all(`[data-announce][data-state="${state}"]`).length;
    document.title = SIGNS[state] ? `${SIGNS[state]} ${count || ""} · ${title}`.replace("  ", " ") : title;
    const tab = one("#favicon");
    tab.setAttribute("href", tab.dataset[state] || tab.dataset.unknown);
  };
  document.addEventListener("htmx:afterSettle", () => {
    announce();
    dress();
    if (away()) lockActions();
    if (one("#live") && !one("[data-poll]")) one("#live").hidden = true;
  });

  // Time: the clock runs on the server's time; every time tells the local one when pointed at.
  const clock = one("#clock");
  if (clock) {
    const ahead = Date.parse(clock.dateTime) - Date.now();
    setInterval(() => {
      const now = new Date(Date.now() + ahead);
      clock.textContent = `${now.toISOString().slice(11, 19)} UTC`;
      clock.title = `Here: ${now.toLocaleString()}`;
    }, 1000);
  }
  document.addEventListener("mouseover", ({ target }) => {
    const time = target.closest?.("main time[datetime]");
    if (time && !time.title.includes("here")) time.title += ` · here: ${new Date(time.dateTime).toLocaleString()}`;
  });

  // Display choices.
  const form = one("#display form:not([method])");
  if (form) {
    for (const field of form.elements) {
      if (field.type === "radio") field.checked = (root.dataset[field.name] || "") === field.value;
      if (field.type === "checkbox") field.checked = root.dataset[field.name] === field.value;
    }
    form.addEventListener("change", () => {
      const chosen = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
      ["theme", "cvd", "density", "keys", "notices"].forEach((name) => delete root.dataset[name]);
      Object.assign(root.dataset, chosen);
      try {
        localStorage.setItem("display", JSON.stringify(chosen));
      } catch {
        toast("This browser keeps nothing: the choice holds for this page only.");
      }
    });
  }

  // Keys: never while typing, never one that executes: a key follows a link, and goes to a button or a field.
  const ROWS = "main :is(tbody tr, .timeline > li, .steps > li)";
  const REACHED = "a[href], button:enabled, input, select, textarea, summary";
  const PLACES = { n: "main .btn-primary, main .offers a[href]", a: "main .offers a[href]" };
  let prefix = -Infinity;
  const press = (key) => {
    const mark = `[data-press="${CSS.escape(key)}"]`;
    const places = [`main ${mark}`, mark, PLACES[key]].filter(Boolean).flatMap((where) => all(where));
    const place = places.find((found) => found.checkVisibility() && !found.disabled);
    if (place?.matches("a") && !PLACES[key]) place.click();
    else place?.focus();
    return place;
  };
  const stepRow = (by) => {
    const rows = all(ROWS).filter((row) => row.checkVisibility() && one(REACHED, row));
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[at < 0 ? 0 : at + by];
    if (row) one(REACHED, row).focus();
  };
  const fold = (menu) => {
    const within = menu.contains(document.activeElement);
    menu.open = false;
    if (within) one("summary", menu).focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") all(".menu[open]").forEach(fold);
    const typing = event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable], dialog");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("textarea[data-send]"))
      event.target.form.requestSubmit(one("[type=submit]", event.target.form));
    if (typing || event.metaKey || event.ctrlKey || event.altKey || root.dataset.keys === "off") return;
    const follows = performance.now() - prefix < 1000;
    prefix = -Infinity;
    if (follows) one(`[data-key="${CSS.escape(event.key)}"]`)?.click();
    else if (event.key === "g") prefix = performance.now();
    else if (event.key === "?") one("#display")?.showModal();
    else if (event.key === "j" || event.key === "k") stepRow(event.key === "j" ? 1 : -1);
    else if (event.key === "/" && one("[data-filters]")) {
      event.preventDefault();
      one("[data-filters] :is(input, select)").focus();
    } else if (press(event.key)) event.preventDefault();
  });
  document.addEventListener("focusin", ({ target }) => {
    if (!target.closest("dialog")) all(".menu[open]").forEach((menu) => menu.contains(target) || (menu.open = false));
  });

  // A swap may take away what has the focus: then what stood around it gets it, so that the keyboard stays there.
  let around = [];
  document.addEventListener("htmx:beforeSwap", () => {
    // Only a field is left alone: what else has the focus, such as a section, is brought up to date.
    Idiomorph.defaults.ignoreActiveValue = Boolean(document.activeElement?.matches("input, select, textarea"));
    around = [];
    for (let place = document.activeElement; place && place !== document.body; place = place.parentElement) around.push(place);
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!around.length || around[0].isConnected) return;
    const place = around.map((was) => (was.isConnected ? was : was.id && document.getElementById(was.id))).find(Boolean);
    around = [];
    if (!place || document.activeElement !== document.body) return;
    if (place.tabIndex < 0) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  });

  // Buttons that only make sense with JavaScript.
  document.addEventListener("click", async ({ target }) => {
    all(".menu[open]").forEach((menu) => menu.contains(target) || (menu.open = false));
    if (target.closest("[data-opens]")) one(`#${target.closest("[data-opens]").dataset.opens}`).showModal();
    const copier = target.closest("[data-copy]");
    if (!copier) return;
    const source = one("code", copier.closest(".cli"));
    getSelection().selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent);
      say("Copied");
      one("span", copier).textContent = "Copied";
    } catch {
      say("Selected: copy it with the keyboard");
    }
  });

  // A destructive button under a finger must be held; keyboard and mouse have the typed name instead.
  let held = null;
  const release = () => {
    clearTimeout(held?.timer);
    held?.button.classList.remove("holding");
    held = null;
  };
  document.addEventListener("pointerdown", ({ target, pointerType }) => {
    const button = target.closest?.("[data-hold]");
    if (!button || pointerType !== "touch") return;
    button.dataset.touched = "";
    button.classList.add("holding");
    const done = () => {
      button.dataset.touched = "held";
      release();
      button.form?.requestSubmit(button);
    };
    held = { button, timer: setTimeout(done, 1500) };
  });
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, release);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-hold]");
    if (button?.dataset.touched === undefined) return;
    event.preventDefault();
    if (!button.dataset.touched) toast("Hold the button for a moment to confirm.");
    delete button.dataset.touched;
  });

  // What a page says when it opens, and what is wrong with a form that came back.
  const told = all("main [data-told] li").map((line) => line.textContent.trim());
  if (told.length) setTimeout(() => say(told.join(" ")), 100);
  one("main [aria-invalid='true']")?.focus();

  dress();
  if (one("[data-poll]")) judge();
})();
