// Shows a page anew when the provider's records have changed, unless somebody is using it. Pages work without this script.
const main = document.querySelector("main");
let used = false;
main.addEventListener("input", () => (used = true));
const isInUse = () => used || main.contains(document.activeElement) || main.querySelector("details[open]");

new EventSource("/live").onmessage = async () => {
  if (isInUse()) return;
  const response = await fetch(location.href);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!isInUse()) main.replaceChildren(...page.querySelector("main").childNodes);
};
