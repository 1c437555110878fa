// One look at whether the elements of a `waitForElement` step are as described.

replyInTime(() => {
  let nodes = [];
  try {
    for (const [alternative, { selectors }] of request.alternatives.entries()) {
      nodes = all(selectors, alternative);
      if (nodes.length > 0) break;
    }
  } catch (reason) {
    if (reason instanceof DOMException) return { again: `no valid selector: ${reason.message}`, hopeless: true };
    return wanted(reason);
  }
  const { operator, count, properties, attributes } = request;
  const compare = number => ({ '>=': number >= count, '==': number === count, '<=': number <= count })[operator];
  if (request.strict) return counted(nodes, compare);
  const enough = compare(nodes.length);
  const unlike = enough ? nodes.map(node => difference(node, properties, attributes)).find(Boolean) : null;
  const holds = enough && !unlike;
  if (holds === request.visible) return { done: true };
  const state = `${nodes.length} found`;
  return { again: unlike ? `${state}, and ${unlike}` : state };
});

/** Those count that are seen and as described; the others are told apart. */
function counted(nodes, compare) {
  const { properties, attributes, visible } = request;
  const seen = nodes.filter(isVisible);
  const like = seen.filter(node => !difference(node, properties, attributes));
  if (compare(like.length) === visible) return { done: true };
  const unlike = seen.map(node => difference(node, properties, attributes)).find(Boolean);
  const state = `${nodes.length} found, ${seen.length} of them to be seen`;
  return { again: unlike ? `${state}, and ${unlike}` : state };
}

function difference(node, properties, attributes) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    const is = node.getAttribute?.(name) ?? null;
    if (is !== value) return `the attribute ${name} of one is ${JSON.stringify(is)}`;
  }
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (!isWithin(value, node[name])) return `the property ${name} of one is ${shown(node[name])}`;
  }
  return null;
}

/** Whether all that `part` has is in `whole`. */
function isWithin(part, whole) {
  if (part === whole) return true;
  if (!(part instanceof Object) || !(whole instanceof Object)) return false;
  return Object.entries(part).every(([name, value]) => isWithin(value, whole[name]));
}

function shown(value) {
  return value instanceof Object ? 'another object' : shortened(String(JSON.stringify(value)), 100);
}
