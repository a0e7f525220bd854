/** What the first screen of a node tells; the caller prints it. */
export interface Welcome {
  readonly version: string;
  readonly dataDir: string;
  readonly mqtt: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  readonly metrics: { readonly host: string; readonly port: number };
  /** The embedded server's port, or the configured server's URL. */
  readonly clickhouse: { readonly embeddedPort: number } | { readonly url: string };
  /** Present when the registry was empty and a device was made for trying out. */
  readonly demo: { readonly name: string; readonly token: string } | undefined;
}

/** One screen: what listens where, and commands that can be pasted. */
export function welcomeScreen(welcome: Welcome): string {
  const { mqtt, http, metrics, clickhouse, demo } = welcome;
  const store =
    'url' in clickhouse
      ? `ClickHouse  ${clickhouse.url}`
      : `ClickHouse  http://127.0.0.1:${clickhouse.embeddedPort} (embedded)`;
  const lines = [
    `Sluice ${welcome.version} is ready. Data in ${welcome.dataDir}`,
    '',
    `  MQTT        ${mqtt.host}:${mqtt.port}`,
    `  HTTP        http://${http.host}:${http.port}`,
    `  Operations  http://${metrics.host}:${metrics.port}  /livez /readyz /metrics`,
    `  ${store}`,
  ];
  if (demo === undefined) {
    lines.push('', 'Create a device:  npx sluice device create my-device');
    return lines.join('\n');
  }
  const mqttHost = reachable(mqtt.host);
  const httpHost = reachable(http.host);
  lines.push(
    '',
    `A device to try it with: ${demo.name}, access token ${demo.token}`,
    '',
    `  mosquitto_pub -q 1 -h ${mqttHost} -p ${mqtt.port} -t v1/devices/me/telemetry \\`,
    `    -u ${demo.token} -m '{"temperature":25}'`,
    `  curl -X POST --data '{"temperature":42,"humidity":73}' \\`,
    `    http://${httpHost}:${http.port}/api/v1/${demo.token}/telemetry`,
    '  npx sluice sql "SELECT device, key, ts, type, text FROM points ORDER BY ts DESC LIMIT 5"',
  );
  return lines.join('\n');
}

/** An address that a client on this machine can use. */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}
