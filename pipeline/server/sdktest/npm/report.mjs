// Runs the cases that are named on the command line, all at once, and prints a line of JSON for each
// as it ends. A case notes what its client showed; what it throws is the client's error. Whether that
// is right is decided in Go, in clients_test.go.
import { basename } from 'node:path';

export async function report(cases, describe) {
  await Promise.all(process.argv.slice(2).map(async (name) => {
    const seen = { case: name, mark: `${basename(process.argv[1], '.mjs')}.${name}` };
    const begun = performance.now();
    seen.since = () => (performance.now() - begun) / 1000;
    try {
      await cases[name](seen);
    } catch (error) {
      seen.error = { class: error.constructor.name, message: error.message, ...describe(error) };
    }
    seen.took = seen.since();
    console.log(JSON.stringify(seen)); // a function is left out of JSON
  }));
}

// arrived notes the time of the first piece of a stream and counts them.
export function arrived(seen) {
  seen.first ??= seen.since();
  seen.chunks = (seen.chunks ?? 0) + 1;
}

// silences are thirty seconds before the headers, before the first event and inside an answer.
export const silences = { silence_headers: 'slow-first 30s', silence_event: 'slow-event 30s', silence_middle: 'silence 30s' };

// breaks are the ways in which a stream can end before its end.
export const breaks = { broken_cut: 'cut', broken_eof: 'eof', broken_garbage: 'garbage', broken_event: 'error-event', broken_line: 'error-line' };

export const broken = (fault) => `!fault ${fault} # and some more words behind it, so that there are events`;
