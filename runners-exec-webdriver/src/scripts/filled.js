// Reads back what was typed into a control or came of a click on it, in `strict` mode. A page may follow
// a few frames later.

reply(async () => {
  const until = performance.now() + FOLLOW_MILLIS;
  for (;;) {
    const answer = readBack();
    if (answer.done || performance.now() >= until) return answer;
    await frame();
  }
});

function readBack() {
  // What is gone was taken: by another page, or by one that shows something else instead.
  if (!state.filled?.element.isConnected) return { done: true };
  const { element, name, mixed } = state.filled;
  const { value } = request;
  if (!isCheck(element)) {
    const why = differing(element, value, name);
    return why ? { again: why, hopeless: true } : { done: true };
  }
  const now = checkedness(element);
  if (!now.mixed && now.checked === Boolean(value)) return { done: true };
  // What was neither checked nor unchecked comes to one of them first.
  const hopeless = now.mixed || !mixed;
  return { again: `${name} is ${now.mixed ? 'half checked' : now.checked ? 'checked' : 'not checked'} after a click`, hopeless };
}
