/**
 * The bare uWebSockets.js peer's process: `uws-server.js PORT`. It collects the body, parses it
 * with JSON.parse, answers 200 and forgets: nothing durable.
 */
import uWebSockets, { type HttpResponse } from 'uWebSockets.js';

const app = uWebSockets.App();
app.post('/api/v1/:token/telemetry', (response) => {
  collect(response, (body) => {
    JSON.parse(body);
    response.end();
  });
});
app.listen('127.0.0.1', Number(process.argv[2]), (listener) => {
  if (listener === false) process.exit(1);
  process.once('SIGTERM', () => {
    uWebSockets.us_listen_socket_close(listener);
    process.exit(0);
  });
});

function collect(response: HttpResponse, done: (body: string) => void): void {
  let earlier: Buffer | undefined;
  response.onAborted(() => {
    earlier = undefined;
  });
  response.onData((part, last) => {
    const bytes = Buffer.from(part);
    if (last) {
      done((earlier === undefined ? bytes : Buffer.concat([earlier, bytes])).toString());
    } else {
      // The library reuses the memory of `part` after this call.
      earlier = Buffer.concat([earlier ?? Buffer.alloc(0), bytes]);
    }
  });
}
