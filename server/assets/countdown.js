// Counts down to a moment by the server's clock, then reloads the page once, so that the server opens the button.
// The page works without this: it names the time in words, and loading it again shows the truth.
//
//   <output class="countdown" data-now="SERVER_MS" data-until="MS" data-units="天 小时 分 秒">…</output>

const shown = document.querySelector("output.countdown[data-until]");

if (shown) {
  // The phone's own clock may be wrong by hours: only the time that passes since the page came is taken from it.
  const serverNow = Number(shown.dataset.now);
  const until = Number(shown.dataset.until);
  const units = shown.dataset.units.split(" ");
  const arrived = performance.timeOrigin + (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
  const left = () => until - (serverNow + (Date.now() - arrived));

  const show = () => {
    const rest = Math.max(0, Math.ceil(left() / 1000));
    const parts = [Math.floor(rest / 86400), Math.floor(rest / 3600) % 24, Math.floor(rest / 60) % 60, rest % 60];
    const first = parts.findIndex((part) => part > 0);
    shown.replaceChildren();
    parts.forEach((part, index) => {
      if (index < first && index < 2) return;
      const unit = document.createElement("small");
      unit.textContent = units[index];
      shown.append(index > Math.max(first, 0) ? String(part).padStart(2, "0") : String(part), unit);
    });
    if (rest > 0) {
      setTimeout(show, 1000 - (Date.now() % 1000) + 5);
    } else {
      // Spread over one second, so that a thousand phones do not come back in the same millisecond.
      setTimeout(() => location.reload(), Math.random() * 1000);
    }
  };
  show();
}
