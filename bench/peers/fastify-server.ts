/** The Fastify peer's process: `fastify-server.js PORT`. It parses the JSON body and answers. */
import { fastify } from 'fastify';

const app = fastify({ logger: false });
app.post('/api/v1/:token/telemetry', (_request, reply) => {
  reply.send();
});
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
