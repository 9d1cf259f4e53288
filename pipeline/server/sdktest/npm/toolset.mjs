// The functions that the model may call, and a prompt that makes the simulated model call them in
// three steps, two at once in the first. The mark makes the calls to Google of one case findable.

const object = (properties) => ({ type: 'object', properties, required: Object.keys(properties), additionalProperties: false });

export const functions = {
  get_weather: { description: 'Weather of a city', parameters: object({ city: { type: 'string' } }), run: ({ city }) => ({ city, degrees: 3 }) },
  get_time: { description: 'Time of a zone', parameters: object({ zone: { type: 'string', enum: ['CET', 'UTC'] } }), run: ({ zone }) => ({ zone, time: '12:00' }) },
  add: { description: 'Sum of two numbers', parameters: object({ a: { type: 'integer' }, b: { type: 'integer' } }), run: ({ a, b }) => ({ sum: a + b }) },
};

export const errand = (mark) =>
  `(${mark}) call get_weather {"city":"Oslo"} call get_time {"zone":"CET"} then call add {"a":1,"b":2} then call get_time {"zone":"UTC"}`;

// work does what the model asked for and notes it.
export function work(seen, name, args) {
  seen.calls.push(`${name} ${JSON.stringify(args)}`);
  return functions[name].run(args);
}

// note adds the kind of an event to those seen, once for many in a row.
export function note(seen, kind) {
  seen.events ??= [];
  if (seen.events.at(-1) !== kind) seen.events.push(kind);
}

// The models that the errands are run with: one must have its thought signatures back, one may; fake is
// the first one with a stream that is cut from an answer in one piece.
export const models = { 3: 'gemini-3.1-flash-lite', 25: 'gemini-2.5-flash', fake: '假流式/gemini-3.1-flash-lite' };
