// Asks twice for the same message, in one piece and as a stream, and goes on with what the stream added up to.
// Prints {whole, streamed, pieces, last} as JSON.
//
//     node messages.mjs BASE_URL KEY BODY
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, apiKey, given] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const body = JSON.parse(given);

const whole = await client.messages.create(body);

const pieces = [];
const streamed = await client.messages
  .stream(body)
  .on("text", (piece) => pieces.push(piece))
  .finalMessage();

const results = streamed.content
  .filter((block) => block.type === "tool_use")
  .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "nothing" }));
const messages = [
  ...body.messages,
  { role: "assistant", content: streamed.content },
  { role: "user", content: results },
];
const last = await client.messages.stream({ ...body, messages }).finalText();

console.log(JSON.stringify({ whole, streamed, pieces, last }));
