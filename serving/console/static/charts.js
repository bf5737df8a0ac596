// Draws every figure of the page with Plotly: colours from the stylesheet, figures as the reader writes them.
// A chart that cannot be drawn leaves the table behind it in its place.
"use strict";
(() => {
  const root = document.documentElement;
  const figures = [...document.querySelectorAll(".chart")].filter((one) => one.querySelector(".plot"));
  const fail = (figure, why) => {
    figure.classList.add("failed");
    figure.querySelector("details").open = true;
    if (why) console.warn(`chart ${figure.id}: ${why}`);
  };
  root.classList.add("charted");
  if (!window.Plotly) {
    figures.forEach((figure) => fail(figure, "Plotly did not load"));
    return;
  }

  const formats = JSON.parse(document.getElementById("formats").textContent);
  Plotly.register({
    moduleType: "locale",
    name: formats.name,
    dictionary: {},
    format: {
      decimal: formats.separators[0], thousands: formats.separators[1], grouping: [3], currency: formats.currency,
      days: formats.days, shortDays: formats.shortDays, months: formats.months, shortMonths: formats.shortMonths,
      periods: ["AM", "PM"], dateTime: `${formats.dayMonthYear} %H:%M`, date: formats.dayMonthYear, time: "%H:%M",
      year: "%Y", month: formats.month, dayMonth: formats.dayMonth, dayMonthYear: formats.dayMonthYear,
    },
  });

  // "@good/30" is 30% of the colour that the stylesheet calls --good
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  let colours = new Map();
  const colour = (role) => {
    if (!colours.has(role)) {
      const [name, share] = role.slice(1).split("/");
      probe.style.color = `var(--${name})`;
      const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g);
      colours.set(role, `rgba(${red}, ${green}, ${blue}, ${share ? Number(share) / 100 : 1})`);
    }
    return colours.get(role);
  };
  const COLOURED = new Set(["color", "fillcolor", "bgcolor", "bordercolor", "colorscale"]);
  const painted = (part, key) => {
    if (typeof part === "string") return COLOURED.has(key) && part.startsWith("@") ? colour(part) : part;
    if (Array.isArray(part)) return part.map((one) => painted(one, key));
    if (part && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, painted(value, name)]));
    }
    return part;
  };

  // Names of categories in lines that fit: entities such as &lt; count as one letter, three lines are enough
  const broken = (name, most) => {
    const lines = [""];
    for (const word of name.split(" ").flatMap((one) => pieces(one, most))) {
      const joined = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (letters(joined).length <= most || !lines.at(-1)) lines[lines.length - 1] = joined;
      else lines.push(word);
    }
    return lines.length > 3 ? `${lines.slice(0, 3).join("<br>")}…` : lines.join("<br>");
  };
  const letters = (text) => text.match(/&\w+;|./gu) ?? [];
  const pieces = (word, most) => {
    const all = letters(word), found = [];
    for (let k = 0; k < all.length; k += most) found.push(all.slice(k, k + most).join(""));
    return found;
  };
  const short = (name, most) => (letters(name).length > most ? `${letters(name).slice(0, most - 1).join("")}…` : name);
  const named = (axis, places, most) => {
    const names = [...new Set(places.flat().filter((one) => typeof one === "string"))];
    if (axis.type !== "category" || !names.some((one) => letters(one).length > most)) return axis;
    return { ...axis, tickmode: "array", tickvals: names, ticktext: names.map((one) => broken(one, most)) };
  };

  // Names below bars lie flat where every word has room, else Plotly turns them
  const standing = (axis, xs, pixels) => {
    const names = [...new Set(xs.flat())], room = Math.floor(pixels / Math.max(1, names.length) / 7.5);
    const flat = names.every((one) => String(one).split(" ").every((word) => letters(word).length <= room));
    return axis.type === "category" && flat ? { ...named(axis, xs, room), tickangle: 0 } : named(axis, xs, Math.max(7, room));
  };

  // A lying bar is as high as its name has lines; a legend of many lines leaves the drawing its room
  const roomy = (layout, traces, wide) => {
    const lying = traces.find((trace) => trace.orientation === "h");
    const lines = Math.max(1, ...(lying?.y ?? []).map((one) => broken(String(one), wide ? 28 : 15).split("<br>").length));
    const rows = lying ? lying.y.length * lines * 15 + 90 : 0;
    const named = traces.filter((trace) => trace.name && trace.showlegend !== false).length;
    return Math.max(layout.height, rows) + (!wide && layout.showlegend ? 16 * named : 0);
  };

  const styled = (layout, data, width) => {
    const wide = width > 520;
    const own = painted(layout, "");
    const ink = colour("@ink"), quiet = colour("@quiet"), line = colour("@line");
    const axis = (given, most) => ({
      automargin: true, fixedrange: true, gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line,
      ticks: "", tickfont: { color: quiet }, nticks: most, ...given,
      title: { standoff: 10, ...given.title, font: { color: quiet, size: 13 } },
    });
    const titled = (axis, pixels) => ({
      ...axis, title: { ...axis.title, text: axis.title.text && broken(axis.title.text, Math.floor(pixels / 7)) },
    });
    const xs = data.map((trace) => trace.x ?? []), ys = data.map((trace) => trace.y ?? []);
    return {
      ...own,
      xaxis: titled(standing(axis(own.xaxis ?? {}, wide ? 8 : 5), xs, width - 80), width - 40),
      yaxis: titled(named(axis(own.yaxis ?? {}, 7), ys, wide ? 28 : 15), (own.height ?? 320) - 60),
      font: { family: getComputedStyle(document.body).fontFamily, size: wide ? 13 : 12, color: ink },
      paper_bgcolor: "rgba(0, 0, 0, 0)",
      plot_bgcolor: "rgba(0, 0, 0, 0)",
      margin: { l: 8, r: 16, t: 16, b: 8, ...own.margin },
      dragmode: false,
      separators: formats.separators,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: ink }, ...own.legend },
      hoverlabel: {
        bgcolor: colour("@surface"), bordercolor: line, align: "left",
        font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
      },
    };
  };

  const follow = (address) => {
    let goal;
    try {
      goal = new URL(address, location.href);
    } catch {
      return;
    }
    if (goal.protocol === "https:" || goal.protocol === "http:") location.assign(goal);
  };

  const draw = async (figure) => {
    const plot = figure.querySelector(".plot");
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const { least_width: least = 0, ...rest } = layout;
    const width = Math.max(plot.clientWidth, least);
    const host = plot.querySelector(".picture");
    host.style.width = `${width}px`;
    host.style.minHeight = `${rest.height ?? 320}px`;
    const traces = painted(data, ""), wide = width > 520;
    for (const { node } of traces) if (node) node.label = node.label.map((one) => short(one, wide ? 32 : 18));
    for (const trace of traces) if (trace.name) trace.name = short(trace.name, wide ? 60 : 36);
    rest.height = roomy(rest, traces, wide);
    await Plotly.react(host, traces, { ...styled(rest, data, width), width }, {
      displayModeBar: false, displaylogo: false, scrollZoom: false, locale: formats.name,
    });
    // the picture is described by the figure's name and summary; its letters would only be spelled out
    for (const picture of host.querySelectorAll("svg")) picture.setAttribute("aria-hidden", "true");
    if (figure.classList.contains("drawn")) return;
    host.on("plotly_click", (event) => {
      const goal = event.points[0]?.customdata;
      if (typeof goal === "string") follow(goal);
    });
    host.on("plotly_hover", (event) => plot.classList.toggle("leads", typeof event.points[0]?.customdata === "string"));
    host.on("plotly_unhover", () => plot.classList.remove("leads"));
    figure.classList.add("drawn");
    figure.querySelector("details").open = false;
  };
  const drawn = (figure) => draw(figure).catch((error) => fail(figure, error.message));

  const all = async () => {
    colours = new Map();
    for (const figure of figures) {
      await drawn(figure);
      await new Promise((done) => setTimeout(done)); // let the page answer between two charts
    }
    root.classList.add("settled");
    dispatchEvent(new Event("settled"));
  };
  all();

  const again = () => {
    colours = new Map();
    return Promise.all(figures.map(drawn)).then(() => dispatchEvent(new Event("settled")));
  };
  addEventListener("themechange", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let before = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === before) return; // a phone's address bar only changes the height
    before = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(again, 150);
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.open && event.target.querySelector(".plot")) again(); // it had no width while it was folded away
  }, true);
  const paper = matchMedia("print");
  paper.addEventListener("change", again);
})();
