import { limits } from '../core/limits.js';
import { MessageKind } from '../normalise/batch-layout.js';

/**
 * The topics of the device API: where a device may publish, and where the node may. A new function
 * of the API is a row in one of the two tables.
 */

/** What becomes of a publish to a topic. */
export type Route =
  /** Goes through the batcher as this kind of message. */
  | { readonly kind: 'message'; readonly messageKind: MessageKind; readonly label: MessageLabel }
  /** Only gateways may publish here. */
  | { readonly kind: 'gateway' }
  | { readonly kind: 'unknown' };

/** The label `kind` of `sluice_messages_received_total`. */
export type MessageLabel = 'telemetry' | 'attributes';

const message = (messageKind: MessageKind, label: MessageLabel): Route =>
  Object.freeze({ kind: 'message', messageKind, label });
const telemetryJson = message(MessageKind.telemetryJson, 'telemetry');
const attributesJson = message(MessageKind.attributesJson, 'attributes');
const gateway: Route = Object.freeze({ kind: 'gateway' });
const unknown: Route = Object.freeze({ kind: 'unknown' });

const publishRoutes: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['v1/devices/me/telemetry', telemetryJson],
  ['v1/devices/me/attributes', attributesJson],
  ['v2/t', telemetryJson],
  ['v2/t/j', telemetryJson],
  ['v2/t/m', message(MessageKind.telemetryMsgpack, 'telemetry')],
  ['v2/a', attributesJson],
  ['v2/a/j', attributesJson],
  ['v2/a/m', message(MessageKind.attributesMsgpack, 'attributes')],
]);

/** The route of a topic name that a device published to. */
export function routePublish(topic: string): Route {
  const route = publishRoutes.get(topic);
  if (route !== undefined) return route;
  return topic.startsWith('v1/gateway/') ? gateway : unknown;
}

/** What the node sends to a device, one word per function of the API. */
export type DownlinkKind =
  | 'attributes'
  | 'attributesResponse'
  | 'rpcRequest'
  | 'rpcResponse'
  | 'firmware'
  | 'firmwareError'
  | 'software'
  | 'softwareError'
  | 'gatewayAttributes'
  | 'gatewayAttributesResponse'
  | 'gatewayRpc'
  | 'gatewayDisconnect';

/** The family of topics that a subscription or request used, which a push has to answer in. */
export type TopicForm = 'v1' | 'v2' | 'v2json' | 'v2protobuf';

export interface DownlinkTopic {
  readonly kind: DownlinkKind;
  readonly form: TopicForm;
  /** The levels of the topic; `+` stands for a decimal number. */
  readonly levels: readonly string[];
  readonly gateway: boolean;
}

function downlink(kind: DownlinkKind, form: TopicForm, topic: string): DownlinkTopic {
  const levels = Object.freeze(topic.split('/'));
  return Object.freeze({ kind, form, levels, gateway: topic.startsWith('v1/gateway/') });
}

/** At most 31 rows: `matchDownlinks` answers with one bit per row. */
export const downlinkTopics: readonly DownlinkTopic[] = Object.freeze([
  downlink('attributes', 'v1', 'v1/devices/me/attributes'),
  downlink('attributes', 'v2', 'v2/a'),
  downlink('attributes', 'v2json', 'v2/a/j'),
  downlink('attributes', 'v2protobuf', 'v2/a/p'),
  downlink('attributesResponse', 'v1', 'v1/devices/me/attributes/response/+'),
  downlink('attributesResponse', 'v2', 'v2/a/res/+'),
  downlink('attributesResponse', 'v2json', 'v2/a/res/j/+'),
  downlink('attributesResponse', 'v2protobuf', 'v2/a/res/p/+'),
  downlink('rpcRequest', 'v1', 'v1/devices/me/rpc/request/+'),
  downlink('rpcRequest', 'v2', 'v2/r/req/+'),
  downlink('rpcRequest', 'v2json', 'v2/r/req/j/+'),
  downlink('rpcRequest', 'v2protobuf', 'v2/r/req/p/+'),
  downlink('rpcResponse', 'v1', 'v1/devices/me/rpc/response/+'),
  downlink('rpcResponse', 'v2', 'v2/r/res/+'),
  downlink('rpcResponse', 'v2json', 'v2/r/res/j/+'),
  downlink('rpcResponse', 'v2protobuf', 'v2/r/res/p/+'),
  downlink('firmware', 'v2', 'v2/fw/response/+/chunk/+'),
  downlink('firmwareError', 'v2', 'v2/fw/error'),
  downlink('software', 'v2', 'v2/sw/response/+/chunk/+'),
  downlink('softwareError', 'v2', 'v2/sw/error'),
  downlink('gatewayAttributes', 'v1', 'v1/gateway/attributes'),
  downlink('gatewayAttributesResponse', 'v1', 'v1/gateway/attributes/response'),
  downlink('gatewayRpc', 'v1', 'v1/gateway/rpc'),
  downlink('gatewayDisconnect', 'v1', 'v1/gateway/disconnect'),
]);

/**
 * The downlink topics of a device that a topic filter can match, as bits of `downlinkTopics`; 0 for
 * a filter that can match none, that is ill-formed, or that has too many levels.
 */
export function matchDownlinks(filter: string, isGateway: boolean): number {
  if (filter.length > limits.topicBytesMax) return 0;
  const levels = filter.split('/');
  if (levels.length > limits.topicLevelsMax || !wellFormed(levels)) return 0;
  let bits = 0;
  for (let index = 0; index < downlinkTopics.length; index++) {
    const topic = downlinkTopics[index];
    if (topic === undefined || (topic.gateway && !isGateway)) continue;
    if (canMatch(levels, topic.levels)) bits |= 1 << index;
  }
  return bits;
}

/** [MQTT-4.7.1-1], [MQTT-4.7.1-2]: wildcards stand alone in their level, `#` in the last one. */
function wellFormed(levels: readonly string[]): boolean {
  for (let index = 0; index < levels.length; index++) {
    const level = levels[index] ?? '';
    if (level.length > 1 && (level.includes('#') || level.includes('+'))) return false;
    if (level === '#' && index !== levels.length - 1) return false;
  }
  return true;
}

function canMatch(filter: readonly string[], topic: readonly string[]): boolean {
  for (let index = 0; index < filter.length; index++) {
    const level = filter[index] ?? '';
    // `#` also matches the parent level: `a/#` matches `a` (5.0 §4.7.1.2).
    if (level === '#') return index <= topic.length;
    const own = topic[index];
    if (own === undefined) return false;
    if (level === '+' || level === own) continue;
    if (own !== '+' || !isNumber(level)) return false;
  }
  return filter.length === topic.length;
}

/** True for the text of a request identifier, e.g. `17`. */
function isNumber(text: string): boolean {
  if (text.length === 0 || text.length > 10) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return true;
}
