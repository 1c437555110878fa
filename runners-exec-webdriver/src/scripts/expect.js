// One look at whether an element is to be seen, or says something.

replyInTime(() => {
  let nodes = [];
  try {
    nodes = request.alternatives.flatMap(({ selectors }, alternative) => all(selectors, alternative));
  } catch (reason) {
    if (reason instanceof DOMException) return { again: `no valid selector: ${reason.message}`, hopeless: true };
    return wanted(reason);
  }
  const names = request.alternatives.map(({ name }) => name).join(' or ');
  const seen = nodes.find(isVisible);
  if (request.visible === false) return seen ? { again: `${tag(seen)} is to be seen` } : { done: true };
  if (nodes.length === 0) return { again: `no element matches ${names}` };
  if (request.text === null) {
    return seen ? { done: true } : { again: `${nodes.length} elements match ${names}, and nothing is to be seen of them` };
  }
  const node = seen ?? nodes[0];
  const is = said(node);
  const wants = fold(request.text);
  const holds = request.exact ? is === wants : is.includes(wants);
  return holds ? { done: true } : { again: node.type === 'password' ? 'it has another' : `it says ${JSON.stringify(shortened(is, 200))}` };
});

function said(node) {
  return fold(isField(node) ? node.value : node.innerText ?? node.textContent);
}

function fold(text) {
  return text.trim().replace(/\s+/g, ' ');
}
