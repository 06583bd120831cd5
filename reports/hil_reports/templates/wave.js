/* Draws a record that can be looked into in the place of its picture, which stays for print. */
(function () {
  "use strict";
  var store = JSON.parse(document.getElementById("waves").textContent);
  var HEIGHT = 300, FEWEST = 8, COARSE = 60; // px; samples that fill a view; columns that do not

  function numbers(packed) {
    var bytes = Uint8Array.from(atob(packed), function (letter) { return letter.charCodeAt(0); });
    return new Float32Array(bytes.buffer);
  }

  /* One level of a capture as uPlot takes it: left edges of its columns, least, largest. */
  function level(capture, packed) {
    var low = numbers(packed.low), high = packed.high ? numbers(packed.high) : low;
    var times = [], least = [], largest = [], columns = packed.columns;
    for (var place = 0; place <= columns; place++) {
      var first = packed.first + Math.floor((place * packed.count) / columns);
      var own = Math.min(place, columns - 1); // the last column ends where the record does
      times.push(capture.begin + first * capture.interval);
      least.push(isNaN(low[own]) ? null : low[own]);
      largest.push(isNaN(high[own]) ? null : high[own]);
    }
    return { data: [times, least, largest], from: times[0], to: times[columns], each: packed.count / columns, columns: columns };
  }

  function levels(capture) {
    capture.made = capture.made || capture.levels.map(function (packed) { return level(capture, packed); });
    return capture.made;
  }

  function plain(value) {
    return (+value.toPrecision(6)).toString().replace("-", "\u2212");
  }

  /* As many digits of a value as the caption has: the fourth after the first of the largest. */
  function figure(value, largest) {
    var digits = Math.max(0, Math.min(9, 4 - Math.floor(Math.log10(largest || 1))));
    return value.toFixed(digits).replace("-", "\u2212");
  }

  /* As many digits of a time as tell what is in view apart. */
  function instant(time, span) {
    var digits = Math.max(0, Math.min(9, 3 - Math.floor(Math.log10(span))));
    return (+time.toFixed(digits)).toString().replace("-", "\u2212");
  }

  function element(name, kind, text) {
    var made = document.createElement(name);
    made.className = kind;
    made.textContent = text || "";
    return made;
  }

  function Wave(place) {
    this.place = place;
    this.over = JSON.parse(place.dataset.wave);
    this.capture = store[this.over.capture];
    this.levels = levels(this.capture);
    this.level = this.levels[0];
    this.now = [this.level.from, this.level.to]; // bench times in view
    this.most = this.levels[0].data.slice(1).reduce(function (found, row) {
      return row.reduce(function (most, value) { return Math.max(most, Math.abs(value)); }, found);
    }, 0);
    this.build();
  }

  Wave.prototype.colour = function (name) {
    return getComputedStyle(this.place).getPropertyValue("--" + name).trim();
  };

  Wave.prototype.build = function () {
    var self = this, tools = element("div", "tools");
    tools.setAttribute("role", "group");
    tools.setAttribute("aria-label", "View of " + this.over.title);
    this.buttons = {};
    [["in", "+", "Zoom in"], ["out", "\u2212", "Zoom out"], ["earlier", "\u2190", "Earlier"], ["later", "\u2192", "Later"],
      ["whole", "Whole record"], ["least", "Least"], ["largest", "Largest"]].forEach(function (each) {
      var made = element("button", "", each[1]);
      made.type = "button";
      if (each[2]) { made.setAttribute("aria-label", each[2]); made.title = each[2]; }
      made.addEventListener("click", function () { self[each[0]](); });
      self.buttons[each[0]] = made;
      tools.appendChild(made);
    });
    this.drawn = element("div", "drawn");
    this.drawn.tabIndex = 0;
    this.drawn.setAttribute("role", "img");
    this.drawn.setAttribute("aria-label", this.over.title + ", drawn; keys + and \u2212 zoom, arrows move, 0 shows the whole record");
    this.drawn.addEventListener("keydown", function (event) {
      var act = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", "0": "whole", Escape: "whole" }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) { return; }
      event.preventDefault();
      self[act]();
    });
    this.under = element("p", "under");
    this.told = element("p", "told");
    this.told.setAttribute("aria-live", "polite");
    this.told.id = "told-" + document.querySelectorAll(".told").length;
    this.drawn.setAttribute("aria-describedby", this.told.id);
    var caption = this.place.querySelector("figcaption");
    [tools, this.drawn, this.under, this.told].forEach(function (each) { self.place.insertBefore(each, caption); });
    this.place.classList.add("live");
    this.plot = new uPlot(this.options(), this.level.data, this.drawn);
    new ResizeObserver(function () {
      var width = self.drawn.clientWidth;
      if (width && width !== self.plot.width) { self.plot.setSize({ width: width, height: HEIGHT }); }
    }).observe(this.drawn);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { self.plot.redraw(); });
    this.say();
  };

  Wave.prototype.options = function () {
    var self = this;
    function colour(name) { return function () { return self.colour(name); }; }
    var font = '11px system-ui, -apple-system, "Segoe UI", Arial, sans-serif';
    function axis(label) {
      return { label: label, labelSize: 20, labelFont: font, font: font, stroke: colour("soft"),
        grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    }
    function values(plot, marks) { return marks.map(plain); }
    var along = axis("bench time in s"), up = axis(this.capture.unit);
    along.values = values;
    up.values = values;
    along.size = 32;
    up.size = 52;
    function path(plot, series, from, to) {
      var made = self.level.each > 1 ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
      return made(plot, series, from, to);
    }
    function line(label) {
      return { label: label, stroke: colour("trace"), width: 1.2, paths: path, points: { show: false } };
    }
    return {
      width: this.drawn.clientWidth || 600, height: HEIGHT, legend: { show: false }, axes: [along, up],
      cursor: {
        y: false, points: { show: false }, drag: { x: true, y: false, setScale: false },
        bind: { dblclick: function () { return function () { self.whole(); }; } }
      },
      scales: {
        x: { time: false, range: function () { return self.now; } },
        y: { range: function (plot, low, high) { return self.upright(low, high); } }
      },
      series: [{}, line("least"), line("largest")],
      bands: [{ series: [2, 1], fill: function () { return self.colour("trace") + "66"; } }],
      hooks: {
        draw: [function (plot) { self.mark(plot); }],
        setSelect: [function (plot) { self.chosen(plot); }],
        setCursor: [function (plot) { self.point(plot.cursor.idx); }]
      }
    };
  };

  /* A view within the record, and of no less than a few samples. */
  Wave.prototype.held = function (from, to) {
    var all = this.levels[0], room = Math.max(to - from, FEWEST * this.capture.interval);
    room = Math.min(room, all.to - all.from) || 1;
    from = Math.min(Math.max(from, all.from), all.to - room);
    return [from, from + room];
  };

  /* What is in view, with those limits that lie near it. */
  Wave.prototype.upright = function (low, high) {
    if (low == null) { return [0, 1]; }
    var spread = Math.max(high - low, Math.abs(high) * 0.02, 1e-9), near = [low, high];
    if (this.isWhole()) { near.push(0); spread = Math.max(high, 0) - Math.min(low, 0) || 1e-9; }
    this.over.limits.forEach(function (limit) {
      if (limit.level >= low - spread && limit.level <= high + spread) { near.push(limit.level); }
    });
    var bottom = Math.min.apply(null, near), top = Math.max.apply(null, near), room = 0.08 * (top - bottom) || spread;
    return [this.isWhole() && bottom === 0 ? 0 : bottom - room, top + room];
  };

  Wave.prototype.isWhole = function () {
    var seen = this.now, all = this.levels[0];
    return seen[1] - seen[0] >= (all.to - all.from) * 0.9999;
  };

  /* Shows a stretch by the finest level that holds all of it. */
  Wave.prototype.look = function (from, to) {
    var now = this.now = this.held(from, to), slack = 1e-9 * (now[1] - now[0]);
    var best = this.levels.reduce(function (found, each) {
      var holds = each.from <= now[0] + slack && each.to >= now[1] - slack;
      return holds && each.each < found.each ? each : found;
    }, this.levels[0]);
    if (best !== this.level) {
      this.level = best;
      this.plot.setData(best.data, false);
    }
    this.plot.setScale("x", { min: now[0], max: now[1] });
    this.say();
  };

  /* A stretch that was drawn over with a pointer. */
  Wave.prototype.chosen = function (plot) {
    var left = plot.select.left, width = plot.select.width;
    if (width < 4) { return; }
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.look(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  };

  Wave.prototype.step = function (factor, shift) {
    var seen = this.now, room = seen[1] - seen[0], middle = (seen[0] + seen[1]) / 2 + shift * room;
    this.look(middle - (factor * room) / 2, middle + (factor * room) / 2);
  };
  Wave.prototype["in"] = function () { this.step(0.4, 0); };
  Wave.prototype.out = function () { this.step(2.5, 0); };
  Wave.prototype.earlier = function () { this.step(1, -0.3); };
  Wave.prototype.later = function () { this.step(1, 0.3); };
  Wave.prototype.whole = function () { this.look(this.levels[0].from, this.levels[0].to); };
  Wave.prototype.least = function () { this.near(0); };
  Wave.prototype.largest = function () { this.near(1); };

  /* All samples around an extreme, as far as the page holds them. */
  Wave.prototype.near = function (which) {
    var own = this.levels[which + 1], time = this.capture.extremes[which], room = 60 * this.capture.interval;
    var from = Math.max(time - room, own ? own.from : -Infinity), to = Math.min(time + room, own ? own.to : Infinity);
    this.look(from, to);
  };

  /* Columns of the present level that lie in view. */
  Wave.prototype.seen = function () {
    var view = this.now, times = this.level.data[0], found = { columns: 0, low: Infinity, high: -Infinity };
    for (var place = 0; place < this.level.columns; place++) {
      if (times[place + 1] <= view[0] || times[place] >= view[1]) { continue; }
      found.columns++;
      if (this.level.data[1][place] == null) { continue; }
      found.low = Math.min(found.low, this.level.data[1][place]);
      found.high = Math.max(found.high, this.level.data[2][place]);
    }
    return found;
  };

  Wave.prototype.say = function () {
    var view = this.now, span = view[1] - view[0], unit = " " + this.capture.unit, found = this.seen(), text;
    text = instant(view[0], span) + " s to " + instant(view[1], span) + " s";
    text += found.low === Infinity ? ", nothing recorded. " :
      ", least " + figure(found.low, this.most) + unit + ", largest " + figure(found.high, this.most) + unit + ". ";
    if (this.level.each <= 1) {
      text += "Every sample is drawn.";
    } else {
      text += "Drawn are the least and the largest of each " + Math.ceil(this.level.each) + " samples.";
      if (found.columns < COARSE) {
        text += " Finer, this page holds what lies around the least and the largest; all samples are in " + this.capture.file + ".";
      }
    }
    this.told.textContent = text;
    var whole = this.isWhole(), all = this.levels[0], edge = 1e-6 * span;
    this.buttons.whole.disabled = this.buttons.out.disabled = whole;
    this.buttons.earlier.disabled = view[0] <= all.from + edge;
    this.buttons.later.disabled = view[1] >= all.to - edge;
    this.buttons["in"].disabled = span <= FEWEST * this.capture.interval * 1.0001;
  };

  Wave.prototype.point = function (place) {
    if (place == null) { this.under.textContent = ""; return; }
    var own = Math.min(place, this.level.columns - 1), data = this.level.data, view = this.now;
    var low = data[1][own], high = data[2][own], text = "At " + instant(data[0][own], view[1] - view[0]) + " s: ";
    var least = low == null ? "nothing recorded" : figure(low, this.most);
    text += low === high ? least : least + " to " + figure(high, this.most);
    this.under.textContent = low == null ? text : text + " " + this.capture.unit;
  };

  /* Limits while they hold, what lies beyond them, and events. */
  Wave.prototype.mark = function (plot) {
    var self = this, ctx = plot.ctx, box = plot.bbox, ratio = devicePixelRatio || 1, view = this.now;
    function x(time) { return plot.valToPos(time, "x", true); }
    function y(value) { return plot.valToPos(value, "y", true); }
    function write(text, across, up) {
      var dashes = ctx.getLineDash(), ink = ctx.strokeStyle;
      ctx.setLineDash([]);
      ctx.lineWidth = 3 * ratio;
      ctx.strokeStyle = self.colour("card");
      ctx.strokeText(text, across, up);
      ctx.fillText(text, across, up);
      ctx.setLineDash(dashes);
      ctx.lineWidth = 1.3 * ratio;
      ctx.strokeStyle = ink;
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(box.left, box.top, box.width, box.height);
    ctx.clip();
    ctx.font = 11 * ratio + 'px system-ui, -apple-system, "Segoe UI", Arial, sans-serif';
    ctx.lineWidth = 1.3 * ratio;
    ctx.setLineDash([1 * ratio, 3 * ratio]);
    ctx.strokeStyle = ctx.fillStyle = this.colour("soft");
    var rows = [];  /* of labels; one that finds no room has its mark alone, until it is looked into */
    this.over.events.forEach(function (event) {
      if (event[1] < view[0] || event[1] > view[1]) { return; }
      var at = x(event[1]), wide = ctx.measureText(event[0]).width + 8 * ratio, row = 0;
      var right = at + wide > box.left + box.width, begin = right ? at - wide : at;
      function free(taken) { return begin + wide <= taken[0] || begin >= taken[1]; }
      ctx.beginPath(); ctx.moveTo(at, box.top); ctx.lineTo(at, box.top + box.height); ctx.stroke();
      while (row < 4 && !(rows[row] || []).every(free)) { row += 1; }
      if (row === 4) { return; }
      (rows[row] = rows[row] || []).push([begin, begin + wide]);
      ctx.textAlign = right ? "right" : "left";
      write(event[0], at + (right ? -4 : 4) * ratio, box.top + (11 + 13 * row) * ratio);
    });
    ctx.setLineDash([7 * ratio, 4 * ratio]);
    ctx.strokeStyle = ctx.fillStyle = this.colour("limit");
    this.over.limits.forEach(function (limit) {
      var at = y(limit.level), inside = at >= box.top && at <= box.top + box.height;
      ctx.textAlign = "right";
      var edge = at < box.top ? box.top + 12 * ratio : box.top + box.height - 6 * ratio;
      var text = inside ? limit.name : limit.name + (at < box.top ? " lies above this view" : " lies below this view");
      var beside = limit.above ? Math.max(at - 7 * ratio, box.top + 12 * ratio) : Math.min(at + 13 * ratio, box.top + box.height - 6 * ratio);
      (self.over.windows.length ? self.over.windows : [view]).forEach(function (held) {
        ctx.beginPath(); ctx.moveTo(x(held[0]), at); ctx.lineTo(x(held[1]), at); ctx.stroke();
      });
      write(text, box.left + box.width - 4 * ratio, inside ? beside : edge);
    });
    ctx.setLineDash([]);
    ctx.strokeStyle = this.colour("fail");
    ctx.lineWidth = 1.5 * ratio;
    this.crosses(function (time, value) {
      var across = x(time), up = y(value), arm = 3.5 * ratio;
      ctx.beginPath();
      ctx.moveTo(across - arm, up - arm); ctx.lineTo(across + arm, up + arm);
      ctx.moveTo(across + arm, up - arm); ctx.lineTo(across - arm, up + arm);
      ctx.stroke();
    });
    ctx.restore();
  };

  /* Calls with place and value of each column in view that lies beyond a limit. */
  Wave.prototype.crosses = function (each) {
    var all = this.levels[0].data, columns = this.levels[0].columns, view = this.now, extremes = this.capture.extremes;
    [["above", 2, extremes[1]], ["below", 1, extremes[0]]].forEach(function (side) {
      this.over.bad[side[0]].forEach(function (row) {
        for (var place = row[0]; place <= row[1] && place < columns; place++) {
          var from = all[0][place], to = all[0][place + 1];
          if (to < view[0] || from > view[1]) { continue; }
          each(side[2] >= from && side[2] < to ? side[2] : (from + to) / 2, all[side[1]][place]);
        }
      });
    }, this);
  };

  function draw(place) {
    if (place.wave) { return; }
    try {
      place.wave = new Wave(place);
    } catch (problem) {
      place.classList.remove("live"); // its picture stays
      throw problem;
    }
  }

  var near = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) { if (entry.isIntersecting) { draw(entry.target); } });
  }, { rootMargin: "300px" });
  document.querySelectorAll("figure.wave").forEach(function (each) { near.observe(each); });
  document.querySelectorAll("details.req").forEach(function (row) {
    row.addEventListener("toggle", function () {
      if (row.open) { row.querySelectorAll("figure.wave").forEach(draw); }
    });
  });
})();
