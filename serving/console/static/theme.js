// Before the first paint: the theme that this browser chose, and word that scripts run. Stored here only, sent nowhere.
"use strict";
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const known = () => {
    try {
      const kept = localStorage.getItem("theme");
      return themes.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // a browser that keeps nothing still shows the page
    }
  };
  const show = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    dispatchEvent(new Event("themechange"));
  };
  root.classList.add("scripted");
  show(known());

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".theme");
    if (!button) return;
    const say = () => { button.textContent = `Theme: ${known()}`; };
    say();
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(known()) + 1) % themes.length];
      try {
        localStorage.setItem("theme", next);
      } catch {
        return;
      }
      show(next);
      say();
    });
  });

  // Where charts.js or Plotly did not arrive, the tables behind the charts are shown.
  addEventListener("load", () => {
    if (root.classList.contains("charted")) return;
    for (const figure of document.querySelectorAll(".chart")) figure.classList.add("failed");
  });

  // A box that nothing overflows is no stop for the Tab key.
  const fit = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      const over = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (over) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", fit);
  addEventListener("resize", fit);
  addEventListener("toggle", fit, true);
  addEventListener("settled", fit);
})();
