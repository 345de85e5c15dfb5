/* The tab of every page tells how Nova is; notices of the browser come only after somebody switched them on here. */
(() => {
  "use strict";
  const root = document.documentElement;
  const place = document.querySelector("[data-notices]");
  if (!place) return;
  const SIGNS = { crit: "✖", warn: "▲", unknown: "?" };
  const EVERY_MS = 10000;
  const title = document.title;
  const own = () => document.querySelector("[data-verdict]");
  const on = () => root.dataset.notices === "on" && "Notification" in window && Notification.permission === "granted";
  let rev = "";
  let state = "";
  let seen = null;

  const notify = (text, tag) => on() && new Notification("NovaOps", { body: text, tag });
  const dress = (told) => {
    // The overview knows its own state sooner.
    if (own()) return;
    document.title = SIGNS[told.state] ? `${SIGNS[told.state]} ${told.count || ""} · ${title}`.replace("  ", " ") : title;
    const tab = document.querySelector("#favicon");
    tab.setAttribute("href", tab.dataset[told.state] || tab.dataset.unknown);
  };
  const take = (told) => {
    rev = told.rev;
    dress(told);
    if (state && state !== "crit" && told.state === "crit") notify(told.sentence, "state");
    state = told.state;
    told.news.filter(({ id }) => seen && !seen.has(id)).forEach(({ id, text }) => notify(text, id));
    seen = new Set([...(seen || []), ...told.news.map(({ id }) => id)]);
  };
  const ask = async () => {
    if (own() && !on()) return;
    try {
      const answer = await fetch(`${place.dataset.notices}&rev=${rev}`, { headers: { "HX-Request": "true" } });
      if (answer.status === 200) take(await answer.json());
    } catch {
      // The pill in the bar says that the connection is lost.
    }
  };
  setInterval(ask, EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  setTimeout(ask, 1000);

  const choice = document.querySelector('#display [name="notices"]');
  const help = document.querySelector("#notices-help");
  choice?.addEventListener("change", async () => {
    if (!choice.checked || Notification.permission === "granted") return;
    if ((await Notification.requestPermission()) === "granted") return;
    choice.checked = false;
    help.textContent = "This browser does not allow it: permit notifications for this site, then switch it on again.";
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  });
  if (choice && !("Notification" in window)) choice.disabled = true;
})();
