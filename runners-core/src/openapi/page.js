// Shows only the calls whose method, path or summary has every word that is searched for.
const search = document.getElementById("search");
const groups = [...document.querySelectorAll("section.group")];
const link = new Map([...document.querySelectorAll("nav li a")].map((a) => [a.hash.slice(1), a.parentElement]));
search.hidden = false;
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const article of document.querySelectorAll("article")) {
    const hidden = !words.every((word) => article.dataset.words.toLowerCase().includes(word));
    article.hidden = hidden;
    link.get(article.id).hidden = hidden;
  }
  for (const group of groups) group.hidden = !group.querySelector("article:not([hidden]), li:not([hidden])");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); }
});
