"use strict";
/* Everything works without this. It adds: the theme switch, local times, fresh values, a search as you type, and
   the value under the pointer in a chart. */
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => within.querySelectorAll(selector);
  const one = (selector, within = document) => within.querySelector(selector);
  const EVERY_MS = 30000, AGAIN_MS = 5000, SOON_MS = 2000, TYPED_MS = 250;

  // Before the page is drawn: no flash of the other theme.
  const kept = { get: () => { try { return localStorage.theme } catch { return undefined } },
    set: (theme) => { try { localStorage.theme = theme } catch { /* it lasts for this page */ } } };
  if (kept.get()) root.dataset.theme = kept.get();

  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  function switchTheme(button) {
    const name = () => { button.textContent = isDark() ? "Light" : "Dark" };
    button.hidden = false;
    name();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      kept.set(root.dataset.theme);
      name();
    });
  }

  // As formats.duration of the server.
  function duration(seconds) {
    for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
      if (seconds >= 2 * length) return `${Math.floor(seconds / length)}\u00a0${unit}`;
    return `${Math.max(0, Math.floor(seconds))}\u00a0s`;
  }

  const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const hours = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

  function showAges() {
    for (const each of all("time[data-ago]"))
      each.textContent = `${duration((Date.now() - new Date(each.dateTime)) / 1000)} ago`;
  }

  function showTimes(within) {
    for (const each of all("time[data-local]", within)) each.textContent = zoned.format(new Date(each.dateTime));
    for (const each of all("text[data-time]", within))
      if (each.textContent.includes(":")) each.textContent = hours.format(new Date(each.dataset.time * 1000));
    showAges();
  }

  // ---- fresh values: the block of the page that changes, every 30 s while somebody looks

  let tag = null, timer = 0, asked = 0, isGone = false;

  function trouble(text) {
    const notice = one("[data-trouble]");
    notice.textContent = text;
    notice.hidden = !text;
  }

  const isInUse = (live) => live.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
    || one("details[open]", live) || String(getSelection());

  // Focus, hidden lines and what is scrolled sideways outlive an exchange of the block.
  const nameOf = (each) => each.id || each.getAttribute("href") || each.textContent;

  function exchange(live, html) {
    const focused = document.activeElement, hadFocus = live !== focused && live.contains(focused);
    const alike = () => [...all(focused.tagName, live)].filter((each) => nameOf(each) === nameOf(focused));
    const place = hadFocus ? alike().indexOf(focused) : 0;
    const hidden = [...all("[data-toggle]", live)].filter((box) => !box.checked).map((box) => box.value);
    const scrolled = [...all(".wide", live)].map((each) => each.scrollLeft);
    live.innerHTML = html;
    for (const box of all("[data-toggle]", live)) box.checked = !hidden.includes(box.value);
    all(".wide", live).forEach((each, number) => { each.scrollLeft = scrolled[number] ?? 0 });
    showTimes(live);
    chart(live);
    if (!hadFocus) return;
    const found = alike();
    (found[place] ?? found[0])?.focus({ preventScroll: true });
  }

  async function refresh({ forced = false } = {}) {
    const live = one("[data-live]");
    if (!live || isGone) return;
    clearTimeout(timer);
    const number = ++asked;
    let wait;
    try {
      const headers = { "X-Page-Part": "live" };
      if (tag && !forced) headers["If-None-Match"] = tag;
      const answer = await fetch(live.dataset.live || location.href, { headers, cache: "no-store" });
      const text = await answer.text();
      if (number !== asked) return;
      if (answer.redirected) return void location.reload();  // the sign-in has ended
      // A proxy's 404, as during a roll-out, passes.
      if (answer.status === 404 && answer.headers.get("Content-Type") === "application/problem+json") {
        isGone = true;
        return trouble(live.dataset.gone ?? "This page is no longer there.");
      }
      if (!answer.ok && answer.status !== 304) throw answer.status;
      trouble("");
      if (answer.status === 200 && (forced || !isInUse(live))) {
        tag = answer.headers.get("ETag");
        exchange(live, text);
        if (forced) announce(live);
      }
    } catch (status) {
      if (number !== asked) return;
      trouble(`${status === 503 ? "The database is away" : "Productator does not answer"}: this is the last state it showed. Trying again in 5 s.`);
      wait = AGAIN_MS;
    }
    schedule(wait);
  }

  // Soon where something is under way.
  const pause = () => one("[data-live] [data-soon]") ? SOON_MS : EVERY_MS;

  function schedule(wait = pause()) {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, wait);
  }

  // An error page stays until there is another one to show.
  async function tryAgain() {
    const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload();
    else setTimeout(tryAgain, AGAIN_MS);
  }

  // ---- links that show the same page in another way: where it is, without a jump

  async function showInPlace(event) {
    const link = event.target.closest("a[data-in-place]"), live = one("[data-live]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, "", link.href);
    live.dataset.live = link.href;
    const table = one("details[open] [data-chart-table]", live);
    await refresh({ forced: true });
    if (table) one("details:has([data-chart-table])", live)?.setAttribute("open", "");
    one(`[data-in-place="${link.dataset.inPlace}"]`, live)?.focus({ preventScroll: true });
  }

  // ---- search as you type

  function announce(live) {
    const status = one("[data-found]"), count = all("tbody tr", live).length;
    if (!status) return;
    const more = one("[rel=next]", live) ? " or more" : "";
    status.textContent = count ? `${count}${more} ${count === 1 ? "product" : "products"} found.` : "Nothing found.";
  }

  function search(form) {
    for (const each of all("[data-without-script]", form)) each.hidden = true;
    const show = () => {
      const given = new URLSearchParams();
      for (const [name, value] of new FormData(form)) if (value) given.set(name, value);
      history.replaceState(null, "", given.size ? `?${given}` : form.action);
      refresh({ forced: true });
    };
    let typed = 0;
    form.addEventListener("input", (event) => {
      clearTimeout(typed);
      typed = setTimeout(show, event.target.type === "search" ? TYPED_MS : 0);
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typed); show() });
  }

  // ---- the chart: its table says what holds where the pointer is

  function chart(within) {
    const figure = one("[data-chart]", within), table = one("[data-chart-table]", within);
    if (!figure || !table) return;
    for (const box of all("[data-toggle]", figure)) {
      const draw = () => figure.classList.toggle(`without-${box.dataset.toggle}`, !box.checked);
      box.addEventListener("change", draw);
      draw();
    }
    const steps = [...all("tbody tr", table)].map((row) => ({
      from: new Date(one("time", row).dateTime) / 1000,
      text: [...row.cells].slice(1).map((cell) => cell.textContent.trim()).join(" to "),
    }));
    const start = Number(figure.dataset.start), end = Number(figure.dataset.end);
    const plot = one(".plot", figure), pointer = one(".pointer", figure), value = one(".value", figure);
    const hide = () => { pointer.setAttribute("visibility", "hidden"); value.hidden = true };
    const show = (share) => {
      const time = start + Math.min(Math.max(share, 0), 1) * (end - start);
      const step = steps.find((each) => each.from <= time + 1);  // the newest comes first
      if (!step) return hide();
      pointer.setAttribute("visibility", "visible");
      for (const side of ["x1", "x2"]) pointer.setAttribute(side, `${(100 * (time - start)) / (end - start)}%`);
      value.hidden = false;
      value.textContent = `${zoned.format(new Date(time * 1000))}: ${step.text}`;
    };
    const at = (event) => {
      const box = plot.getBoundingClientRect();
      show((event.clientX - box.left) / box.width);
    };
    plot.addEventListener("pointermove", at);
    plot.addEventListener("pointerdown", at);
    plot.addEventListener("pointerleave", hide);
  }

  // Loaded again, or from a bookmark, the page would say once more what a form has done.
  function forgetWhatWasDone() {
    const address = new URL(location);
    if (!address.searchParams.has("done")) return;
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }

  document.addEventListener("DOMContentLoaded", () => {
    forgetWhatWasDone();
    const button = one("[data-theme-switch]"), form = one("[data-search]");
    if (button) switchTheme(button);
    if (form) search(form);
    for (const each of all("[data-zone]")) each.textContent = "Times are local; hover for UTC.";
    showTimes(document);
    chart(document);
    setInterval(() => document.hidden || showAges(), 5000);
    document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : refresh());
    document.addEventListener("click", showInPlace);
    if (one("[data-try-again]")) setTimeout(tryAgain, AGAIN_MS);
    schedule();
  });
})();
