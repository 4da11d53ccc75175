// Shows a page anew when the provider's records have changed, unless somebody is using it. Pages work without this script.
const main = document.querySelector("main");
let used = false;
main.addEventListener("input", () => (used = true));
const isInUse = () => used || main.contains(document.activeElement) || main.querySelector("details[open]");

const live = new EventSource(new URL("live", document.currentScript.src));
// Also when it opens: something may have changed since the page was made.
live.onopen = live.onmessage = async () => {
  if (isInUse()) return;
  const response = await fetch(location.href);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.querySelector("main");
  if (isInUse() || fresh.innerHTML === main.innerHTML) return;
  document.title = page.title;
  main.replaceChildren(...fresh.childNodes);
};
