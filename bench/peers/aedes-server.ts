/** The Aedes peer's process: `aedes-server.js PORT`. The broker, JSON.parse and column arrays. */
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { ColumnCollector } from './column-collector.js';

const broker = await Aedes.createBroker();
const columns = new ColumnCollector();
broker.on('publish', (packet, client) => {
  if (client === null) return; // the broker's own heartbeat
  columns.add(client.id, JSON.parse(packet.payload.toString()));
});
createServer(broker.handle).listen({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  backlog: 4096,
});
