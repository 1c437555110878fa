// Where the elements are that a picture is not compared at.

reply(() => {
  let nodes = [];
  try {
    nodes = request.alternatives.flatMap(({ selectors }, alternative) => all(selectors, alternative));
  } catch (reason) {
    if (reason instanceof DOMException) return { again: `no valid selector: ${reason.message}`, hopeless: true };
    return wanted(reason);
  }
  const elements = nodes.map(node => (node instanceof Element ? node : node.parentElement)).filter(Boolean);
  const rectangles = elements.map(element => element.getBoundingClientRect());
  return { rectangles: rectangles.map(({ x, y, width, height }) => ({ x, y, width, height })) };
});
