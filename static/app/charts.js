/* Draws the charts of a service with uPlot: one request for all of them, a shared cursor, thresholds, marks, gaps. */
(() => {
  "use strict";
  const area = document.querySelector("[data-charts]");
  if (!area || !window.uPlot) return;
  const EVERY_MS = 10000;
  const HEIGHT = 190;
  const LETTERS = { deployment: "D", run: "R", alert: "A", incident: "I" };
  const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 4]];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const note = area.querySelector("[data-charts-note]");
  const charts = new Map();
  let data = null;
  let asking = false;

  // A canvas knows no custom properties: what they mean here and now is asked of an element.
  const probe = area.appendChild(document.createElement("i"));
  probe.hidden = true;
  const colour = (name) => ((probe.style.color = `var(--${name})`), getComputedStyle(probe).color);
  const palette = () => ["link", "fg", "maint", "ok", "muted"].map(colour);

  const short = (value) =>
    value == null ? "–" : Math.abs(value) >= 1000 ? Intl.NumberFormat("en", { notation: "compact" }).format(value) : `${+value.toPrecision(3)}`;
  const utc = (at) => new Date(at * 1000).toISOString().slice(5, 16).replace("T", " ");
  const told = (at) => (at == null ? "–" : `${utc(at)} UTC, here ${new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
  // One lost sample is no gap, as for the rules; what is longer stays one. uPlot draws over undefined and not over null.
  const bridged = ({ y, every }) => {
    const drawn = [...y];
    const longest = Math.max((2.5 * every) / data.step, 2);
    let last = -Infinity;
    y.forEach((value, at) => {
      if (value === null) return;
      if (at - last <= longest) drawn.fill(undefined, last + 1, at);
      last = at;
    });
    return drawn;
  };
  const ticks = (_, splits, axis, space, apart) =>
    splits.map((at) => (apart >= 86400 || at % 86400 === 0 ? `${utc(at).slice(3, 5)} ${MONTHS[new Date(at * 1000).getUTCMonth()]}` : utc(at).slice(6)));
  const name = (series) => series.name.split("/")[0];

  const of = (figure) => {
    const names = figure.dataset.chart.split(" ");
    const lines = data.series.filter((one) => names.includes(name(one)));
    return lines.sort((a, b) => names.indexOf(name(a)) - names.indexOf(name(b)));
  };
  const times = () => Array.from(data.series[0].y, (_, at) => data.t0 + at * data.step);
  const columns = (lines) => [times(), ...lines.map(bridged)];
  const sentence = (figure, lines) => {
    const parts = lines.map((one) => {
      const known = one.y.filter((value) => value !== null);
      const now = one.y.at(-1) === null ? "last" : "now";
      const [low, high] = [Math.min(...known), Math.max(...known)];
      return `${one.title}: ${now} ${short(known.at(-1))} ${one.unit}, lowest ${short(low)}, highest ${short(high)}`;
    });
    return `${figure.dataset.title}. ${parts.join("; ")}.`;
  };

  const across = (plot, at, line, dash) => {
    const { ctx, bbox } = plot;
    ctx.strokeStyle = line;
    ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(...at(bbox.left, bbox.top));
    ctx.lineTo(...at(bbox.left + bbox.width, bbox.top + bbox.height));
    ctx.stroke();
  };
  const annotate = (plot, figure, lines) => {
    const { ctx, bbox } = plot;
    const names = figure.dataset.chart.split(" ");
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top - 12 * devicePixelRatio, bbox.width, bbox.height + 12 * devicePixelRatio);
    ctx.clip();
    ctx.lineWidth = devicePixelRatio;
    hatch(plot, lines);
    for (const one of data.thresholds.filter((threshold) => names.includes(threshold.series))) {
      const y = plot.valToPos(one.value, "y", true);
      if (y >= bbox.top) across(plot, (x) => [x, y], colour(one.severity), [8, 4]);
    }
    ctx.font = `${10 * devicePixelRatio}px sans-serif`;
    ctx.textAlign = "center";
    for (const one of data.events) {
      const x = Math.round(plot.valToPos(one.at, "x", true));
      across(plot, (_, y) => [x, y], colour(one.kind === "alert" || one.kind === "incident" ? "crit" : "muted"), [2, 2]);
      ctx.fillStyle = colour("fg");
      ctx.fillText(LETTERS[one.kind] || "•", x, bbox.top - 2 * devicePixelRatio);
    }
    ctx.restore();
  };
  // Where nothing has come for longer than it should, the end is hatched instead of looking calm.
  const hatch = (plot, lines) => {
    const known = Math.max(...lines.map((one) => one.y.findLastIndex((value) => value !== null)));
    const last = data.t0 + (known + 1) * data.step;
    if (data.until - last <= data.stale_after) return;
    const { ctx, bbox } = plot;
    const from = plot.valToPos(last, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, bbox.top, bbox.left + bbox.width - from, bbox.height);
    ctx.clip();
    for (let x = from; x < bbox.left + bbox.width + bbox.height; x += 8 * devicePixelRatio)
      across(plot, (_, y) => [y > bbox.top ? x - bbox.height : x, y], colour("line"), []);
    ctx.restore();
  };

  const axis = (more) => ({ stroke: colour("muted"), grid: { stroke: colour("hair"), width: 1 }, ticks: { show: false }, font: "11px sans-serif", ...more });
  const top = (lines, figure) => (_, low, high) => {
    const names = figure.dataset.chart.split(" ");
    const near = data.thresholds.filter((one) => names.includes(one.series) && one.value <= 10 * (high || 1)).map((one) => one.value);
    const highest = Math.max(high ?? 0, ...near);
    return [Math.min(low ?? 0, 0), highest > 0 ? highest * 1.08 : 1];
  };
  // CloudWatch tells a minute at a time, however fine the steps are: only what is missing for longer is a gap.
  const gaps = (plot, _, __, ___, found) =>
    found.filter(([from, to]) => plot.posToVal(to, "x", true) - plot.posToVal(from, "x", true) > Math.max(2.5 * data.step, 150));
  const options = (figure, lines, width) => {
    const colours = palette();
    return {
      width,
      height: HEIGHT,
      padding: [14, 8, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { sync: { key: "service" }, y: false, drag: { x: false, y: false } },
      scales: { x: { range: () => [data.t0, data.until] }, y: { range: top(lines, figure) } },
      axes: [axis({ space: 56, size: 26, values: ticks }), axis({ size: 46, values: (_, marked) => marked.map(short) })],
      series: [
        { label: "Time", value: (_, at) => told(at) },
        ...lines.map((one, at) => ({
          label: one.title,
          stroke: colours[at % colours.length],
          width: 1.5,
          dash: DASHES[at % DASHES.length],
          points: { size: 4 },
          gaps,
          value: (_, value) => (value == null ? "–" : `${short(value)} ${one.unit}`),
        })),
      ],
      hooks: { draw: [(plot) => annotate(plot, figure, lines)] },
    };
  };

  const drop = (figure) => {
    charts.get(figure)?.destroy();
    charts.delete(figure);
  };
  const draw = (figure) => {
    const box = figure.querySelector(".plot");
    const lines = of(figure);
    if (!lines.length) return;
    drop(figure);
    box.replaceChildren();
    charts.set(figure, new uPlot(options(figure, lines, box.clientWidth), columns(lines), box));
    box.setAttribute("aria-label", sentence(figure, lines));
    sizes.observe(box);
  };
  const drawAll = () => data?.series.length && area.querySelectorAll("[data-chart]").forEach(draw);
  const sizes = new ResizeObserver((changed) => {
    for (const { target } of changed) charts.get(target.closest("[data-chart]"))?.setSize({ width: target.clientWidth, height: HEIGHT });
  });

  const say = (words) => {
    note.hidden = !words;
    note.querySelector("span").textContent = words;
  };
  const load = async () => {
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(`${area.dataset.src}&rev=${data?.rev || ""}`, { redirect: "manual" });
      if (answer.status === 200) {
        data = await answer.json();
        drawAll();
      }
      say(answer.ok ? "" : "The charts cannot be loaded now: they show what was known before.");
    } catch {
      say("No connection to NovaOps: the charts show what was known before.");
    } finally {
      asking = false;
    }
  };

  document.addEventListener("htmx:beforeCleanupElement", ({ target }) => {
    for (const figure of [...charts.keys()]) if (target.contains(figure)) drop(figure);
  });
  document.addEventListener("visibilitychange", load);
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme", "data-cvd"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  setInterval(load, EVERY_MS);
  load();
})();
