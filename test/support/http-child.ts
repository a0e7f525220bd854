import { NodeError } from '../../src/core/errors.js';
import { startHttp } from './http.js';

/**
 * Run with `fork`: tries to listen on the port of its first argument and tells its parent how it
 * went. A second argument makes it give up the rights of root before it does.
 */
try {
  // Nobody else than root may be able to read this folder: the engine is loaded before.
  await (await startHttp({ port: 0 })).stop();
  if (process.argv[3] !== undefined && process.getuid?.() === 0) process.setuid?.(65534);
  const fixture = await startHttp({ port: Number(process.argv[2]) });
  process.send?.('listening');
  await fixture.stop();
} catch (thrown) {
  process.send?.(thrown instanceof NodeError ? thrown.code : String(thrown));
}
