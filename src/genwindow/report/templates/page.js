"use strict";
(() => {
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  if (!data.runs.length) return;
  const $ = (id) => document.getElementById(id);
  const slider = $("slider"), play = $("play"), trace = $("trace"), cards = $("cards");
  const buttons = [...document.querySelectorAll("button.size")];
  const sheets = new Map();
  let run = null, timer = null;

  const digits = (ratio) => {
    let text = ratio.toFixed(2);
    for (let n = 3; n < 7 && (ratio < run.threshold) !== (Number(text) < run.threshold); n += 1) text = ratio.toFixed(n);
    return text;
  };

  const hundred = (share) => Number((100 * share).toFixed(share < 0.1 ? 2 : 1));

  const element = (parent, tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    parent.append(made);
  };

  const sheet = (uri) => {
    if (!sheets.has(uri)) {
      const image = new Image();
      image.src = uri;
      sheets.set(uri, image.decode().then(() => image));
    }
    return sheets.get(uri);
  };

  const paint = (canvas, image, cell, columns) => {
    const { width, height } = run;
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").drawImage(
      image, (cell % columns) * width, Math.floor(cell / columns) * height, width, height, 0, 0, width, height);
  };

  const drawTrace = () => {
    trace.replaceChildren();
    $("times").replaceChildren();
    const last = Math.max(run.frames.length - 1, 1);
    const [gen, mem] = run.times;
    const open = run.state === "open" || run.state === "open_end";
    if (open || run.state === "closed") {
      const from = 100 * ((open ? gen : mem).at ?? 0), to = 100 * ((open ? mem : gen).at ?? 1);
      element(trace, "rect", { class: open ? "open" : "closed", x: from, y: 0, width: Math.max(to - from, 0), height: 40 });
    }
    const points = run.frames.map((f, i) => [(100 * i) / last, 40 - 38 * (f.f_mem ?? 0)]);
    const path = points.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
    element(trace, "polygon", { class: "area", points: `0,40 ${path} 100,40` });
    element(trace, "polyline", { class: "line", points: path });
    const placed = run.times.filter((time) => time.at !== null);
    const first = Math.min(...placed.map((time) => time.at));
    for (const time of placed) {
      element(trace, "line", { class: time.kind, x1: 100 * time.at, x2: 100 * time.at, y1: 0, y2: 40 });
      const name = document.createElement("span");
      const letter = document.createElement("i");
      const index = document.createElement("sub");
      letter.textContent = "τ";
      index.textContent = time.name;
      name.append(letter, index);
      name.className = time.kind;
      const left = placed.length > 1 ? time.at === first : time.at > 0.5;
      if (left && time.at > 0.12) name.style.right = `calc(${100 * (1 - time.at)}% + 3px)`;
      else name.style.left = `calc(${100 * time.at}% + 3px)`;
      $("times").append(name);
    }
  };

  const show = async (position) => {
    const shown = run, frame = run.frames[position];
    slider.value = position;
    const step = frame.step.toLocaleString("en-US");
    const copies = frame.ratio.filter((r) => r !== null && r < run.threshold).length;
    slider.setAttribute("aria-valuetext", `step ${step}, ${frame.words}`);
    $("now-step").textContent = `step ${step}`;
    const interval = frame.low === null ? "" : ` [${hundred(frame.low)}, ${hundred(frame.high)}]`;
    $("now-copies").textContent = frame.f_mem === null ? "copies not measured" : `${hundred(frame.f_mem)} % copies`;
    $("now-interval").textContent = interval;
    $("now-phase").textContent = frame.words;
    $("now-phase").className = `phase ${frame.phase}`;
    $("now-shown").textContent = `Copies among the ${frame.ratio.length} samples shown: ${copies} (ratio below ` +
      `${run.limit}). They are the first ones, not chosen; the share of copies above is of all samples.`;
    const [generated, nearest] = await Promise.all([sheet(run.generated), sheet(run.nearest)]);
    if (run !== shown || Number(slider.value) !== position) return;
    frame.ratio.forEach((ratio, k) => {
      const item = cards.children[k], near = run.index[frame.near[k]];
      const copy = ratio !== null && ratio < run.threshold;
      const [left, right] = item.querySelectorAll("canvas");
      paint(left, generated, position * run.columns.generated + k, run.columns.generated);
      paint(right, nearest, frame.near[k], run.columns.nearest);
      left.setAttribute("aria-label", `generated sample ${k + 1}${copy ? ", a copy" : ""}`);
      right.setAttribute("aria-label", `training image ${near}`);
      item.querySelector(".near").textContent = `#${near}`;
      item.querySelector(".ratio").textContent = ratio === null ? "-" : digits(ratio);
      item.classList.toggle("is-copy", copy);
    });
    document.documentElement.dataset.shown = `${data.runs.indexOf(run)}:${position}`;
  };

  const choose = (which, step) => {
    run = data.runs[which];
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === which)));
    slider.max = run.frames.length - 1;
    const template = $("card").content.firstElementChild;
    cards.replaceChildren(...run.frames[0].ratio.map(() => template.cloneNode(true)));
    drawTrace();
    const distance = (frame) => Math.abs(Math.log((frame.step + 1) / (step + 1)));
    let best = 0;
    run.frames.forEach((frame, i) => { if (distance(frame) < distance(run.frames[best])) best = i; });
    return show(best);
  };

  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  };

  const start = () => {
    if (Number(slider.value) === run.frames.length - 1) show(0);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      const next = Number(slider.value) + 1;
      if (next >= run.frames.length) stop();
      else show(next);
    }, 600);
  };

  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  play.addEventListener("click", () => (timer === null ? start() : stop()));
  buttons.forEach((button, i) => button.addEventListener("click", () => {
    stop();
    choose(i, run.frames[Number(slider.value)].step);
  }));
  choose(data.first, data.runs[data.first].frames.at(-1).step);
  $("still").hidden = true;
  $("live").hidden = false;
})();
