// Evaluates `expression` at every frame until it is true, for a slice of time. A promise that
// outlives the slice is awaited by the next call; a new token starts over.

const { expression } = this;

reply(async () => {
  if (state.token !== request.token) Object.assign(state, { token: request.token, asked: null });
  const until = performance.now() + request.sliceMillis;
  for (;;) {
    state.asked ??= ask();
    const asked = state.asked;
    await Promise.race([asked.settled, new Promise(resolve => setTimeout(resolve, until - performance.now()))]);
    if (!asked.outcome) return { again: 'its promise is still pending' };
    state.asked = null;
    if (asked.outcome.value) return { done: true };
    if (performance.now() >= until) return { again: asked.outcome.trouble ?? `it is ${shown(asked.outcome.value)}` };
    await frame();
  }
});

function ask() {
  const asked = { outcome: null };
  asked.settled = Promise.resolve().then(expression).then(
    value => { asked.outcome = { value }; },
    reason => { asked.outcome = { trouble: `it throws ${reason}` }; },
  );
  return asked;
}

function shown(value) {
  return String(typeof value === 'string' ? JSON.stringify(value) : value);
}
