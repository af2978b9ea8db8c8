// Makes a page livelier; without it everything is there as well.
//
// Times become those of the viewer's zone, new messages appear, keys move, and an address that is
// typed into the field for words is sent as the field for addresses would, so that no URL holds it.
"use strict";

(() => {
  const QUICK = 10_000; // milliseconds between two looks for news, while there is some
  const SLOW = 60_000; // while there is none
  const LATE = 300_000; // while the server does not answer
  const HOUR = 3_600_000;
  const KEYS = "conversation-tracker-keys";

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Times

  const written = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const language = written.resolvedOptions().locale;

  const localise = (within) => {
    for (const time of all("time[datetime]", within)) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.textContent = written.format(at);
        time.lang = language;
      }
    }
  };

  // News

  const news = document.querySelector("[data-news]");

  // Says something, and leads to a message if it is about one.
  const say = (words, article) => {
    if (!news || (news.textContent === words && !article)) {
      return;
    }
    news.textContent = article ? "" : words;
    if (article) {
      const link = document.createElement("a");
      link.href = `#${article.id}`;
      link.textContent = words;
      link.addEventListener("click", () => {
        article.focus({ preventScroll: true });
        news.textContent = "";
      });
      news.append(link);
    }
  };

  class Answered extends Error {}

  const read = async (address) => {
    const answer = await fetch(address, {
      cache: "no-store",
      credentials: "same-origin",
      headers: { Accept: "text/html" },
      redirect: "error",
    });
    if ([401, 403, 404, 410].includes(answer.status)) {
      throw new Answered();
    }
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  // Looks again and again, the more slowly the less happens, and never while nobody sees the page.
  const watch = (look, most) => {
    let wait = QUICK;
    let timer = 0;
    let failed = 0;
    let over = false;

    const rest = (milliseconds) => {
      clearTimeout(timer);
      if (!over && !document.hidden) {
        timer = setTimeout(turn, milliseconds);
      }
    };

    const turn = async () => {
      try {
        wait = (await look()) ? QUICK : Math.min(wait * 1.3, most);
        if (failed > 2) {
          say("");
        }
        failed = 0;
      } catch (error) {
        if (error instanceof Answered) {
          over = true;
          say("This page is no longer kept up to date. Load it again to go on.");
          return;
        }
        failed += 1;
        wait = Math.min(QUICK * 2 ** failed, LATE);
        if (failed > 2) {
          say("New messages cannot be looked for at the moment.");
        }
      }
      rest(wait);
    };

    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      wait = QUICK;
      rest(500);
    });
    rest(wait);
  };

  const timeline = document.querySelector("[data-live]");

  // Whether more is to come of a message: its text, or, for an hour, what becomes of its copies.
  const isOpen = (article) => {
    const at = Date.parse(article.querySelector("time")?.dateTime ?? "");
    return "waiting" in article.dataset || ("open" in article.dataset && Date.now() - at < HOUR);
  };

  // Puts a message in the place of what was known of it; what was opened in it stays open.
  const renew = (known, article) => {
    const focused = known.contains(document.activeElement);
    const opened = all("details", known).map((each) => each.open);
    all("details", article).forEach((each, place) => (each.open ||= opened[place] ?? false));
    known.replaceWith(document.adoptNode(article));
    if (focused) {
      article.focus({ preventScroll: true });
    }
  };

  // Asks for what comes after the last message of which all is known: the others come again.
  const findMessages = async () => {
    let after = "";
    for (const article of all("article[data-date]", timeline)) {
      if (isOpen(article)) {
        break;
      }
      after = article.dataset.date;
    }
    const address = new URL(timeline.dataset.live, location.href);
    if (after) {
      address.searchParams.set("after", after);
    }
    const page = await read(address);
    let first = null;
    let added = 0;
    let changed = 0;
    for (const entry of all(".timeline > .entry", page)) {
      const article = entry.querySelector("article[id]");
      const known = document.getElementById(article.id);
      if (!known) {
        localise(entry);
        timeline.append(document.adoptNode(entry));
        first ??= article;
        added += 1;
      } else if (
        known.dataset.state !== article.dataset.state ||
        known.dataset.waiting !== article.dataset.waiting
      ) {
        localise(article);
        renew(known, article);
        changed += 1;
      }
    }
    if (timeline.querySelector(":scope > .entry:last-child.outbound")) {
      document.querySelector("[data-waits]")?.remove();
    }
    if (added) {
      all(":scope > .none", timeline).forEach((each) => each.remove());
      say(added === 1 ? "A new message has come." : `${added} new messages have come.`, first);
    }
    return added + changed > 0;
  };

  const lists = document.querySelector("[data-lists]");

  const findLists = async () => {
    const page = await read(new URL(lists.dataset.lists, location.href));
    const fresh = page.querySelector("[data-lists]");
    const chosen = document.getSelection();
    const used =
      lists.contains(document.activeElement) ||
      (chosen && !chosen.isCollapsed && lists.contains(chosen.anchorNode));
    if (fresh && !used) {
      localise(fresh);
      lists.replaceChildren(...document.adoptNode(fresh).childNodes);
    }
    return false;
  };

  // Keys

  const stops = () => all("article.message, .rows a");
  const toggle = document.querySelector("[data-keys]");
  let keys = true;

  const setKeys = (on) => {
    keys = on;
    if (toggle) {
      toggle.hidden = false;
      toggle.textContent = on ? "Turn keys off" : "Turn keys on";
    }
    try {
      localStorage.setItem(KEYS, on ? "on" : "off");
    } catch {
      // Where nothing may be kept, it counts for this page.
    }
  };

  const move = (step) => {
    const found = stops();
    const at = found.findIndex((each) => each.contains(document.activeElement));
    const seen = found.findIndex((each) => each.getBoundingClientRect().bottom > 80);
    const next = at >= 0 ? at + step : step > 0 ? seen : seen - 1;
    const target = found[Math.max(0, Math.min(next, found.length - 1))];
    if (target) {
      target.focus({ preventScroll: true });
      target.scrollIntoView({ block: target.matches("a") ? "nearest" : "start" });
    }
  };

  const press = (event) => {
    const field = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (!keys || field || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) {
      return;
    }
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      move(event.key === "j" ? 1 : -1);
    }
  };

  // Print: what is folded is shown, but for other layouts of the same text.

  let opened = [];

  addEventListener("beforeprint", () => {
    opened = all("details:not([open], .html)");
    opened.forEach((each) => (each.open = true));
  });
  addEventListener("afterprint", () => {
    opened.forEach((each) => (each.open = false));
    opened = [];
  });

  localise(document);
  document.addEventListener("keydown", press);
  if (toggle) {
    toggle.addEventListener("click", () => setKeys(!keys));
    let kept = null;
    try {
      kept = localStorage.getItem(KEYS);
    } catch {
      // Nothing may be kept.
    }
    setKeys(kept !== "off");
  }
  if (timeline) {
    watch(findMessages, SLOW);
  } else if (lists) {
    watch(findLists, SLOW);
  }
})();
