// What the official JavaScript client is used for, as its users write it: base URL and key come from OPENAI_BASE_URL and OPENAI_API_KEY, and the
// HTTP agent has the certificate in the folder CERTS. Prints one JSON object: what each example saw.
import fs from "node:fs";
import path from "node:path";
import OpenAI from "openai";
import { Agent } from "undici";

const file = (name) => fs.readFileSync(path.join(process.env.CERTS, name));
const dispatcher = new Agent({ connect: { ca: file("authority.pem"), cert: file("client.pem"), key: file("client.key") } });
const client = new OpenAI({ fetchOptions: { dispatcher } });
const model = process.env.MODEL;
const messages = [
  { role: "developer", content: "你是银行的助手。" },
  { role: "user", content: "什么是拒付？😀" },
];

const question = [{ role: "user", content: "等待期和免赔额是多少？" }]; // of documents: model "knowledge/<scenario>"
const cited = (content, annotations) =>
  annotations.map(({ url_citation: each }) => [each.url, each.title, content.slice(each.start_index, each.end_index)]);

const examples = {
  async chat() {
    const completion = await client.chat.completions.create({ model, messages, temperature: 0, max_completion_tokens: 16 });
    return { content: completion.choices[0].message.content, reason: completion.choices[0].finish_reason, usage: completion.usage };
  },

  async streamed() {
    const stream = await client.chat.completions.create({
      model, messages, temperature: 0, max_completion_tokens: 16, stream: true, stream_options: { include_usage: true },
    });
    let content = "", usage = null;
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    return { content, usage };
  },

  async events() {
    const runner = client.chat.completions.stream({ model, messages, temperature: 0, max_completion_tokens: 16 });
    let heard = "";
    runner.on("content", (delta) => (heard += delta));
    const completion = await runner.finalChatCompletion();
    return { heard, content: completion.choices[0].message.content };
  },

  async schema() {
    const completion = await client.chat.completions.parse({
      model, messages, max_completion_tokens: 64, seed: 7, n: 2,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "outcome", strict: true,
          schema: {
            type: "object", properties: { 结论: { enum: ["批准", "拒绝"] } }, required: ["结论"], additionalProperties: false,
          },
        },
      },
    });
    return completion.choices.map((choice) => choice.message.content);
  },

  async completion() {
    const completion = await client.completions.create({ model, prompt: ["从前", "后来"], temperature: 0, max_tokens: 8, logprobs: 1 });
    return completion.choices.map((choice) => ({ index: choice.index, text: choice.text, tokens: choice.logprobs.tokens.length }));
  },

  async models() {
    const names = [];
    for await (const each of client.models.list()) names.push(each.id);
    return names;
  },

  async failure() {
    try {
      await client.chat.completions.create({ model: "gpt-9", messages });
    } catch (error) {
      return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param, id: error.requestID };
    }
    return null;
  },

  async refusal() {
    try {
      await client.chat.completions.create({ model, messages, presence_penalty: 1 });
    } catch (error) {
      return { kind: error.constructor.name, code: error.code, param: error.param };
    }
    return null;
  },

  async raw() {
    const { data, response } = await client.chat.completions.create({ model, messages, max_completion_tokens: 4 }).withResponse();
    return { same: response.headers.get("x-request-id") === data._request_id, id: data._request_id };
  },

  async cited() {
    const completion = await client.chat.completions.create({ model, messages: question, metadata: { conversation_id: "保单 7" } });
    const { message, finish_reason: reason } = completion.choices[0];
    return { content: message.content, reason, cited: cited(message.content, message.annotations), more: completion.finmesh.audit_record_id };
  },

  async citedStreamed() {
    const stream = await client.chat.completions.create({
      model, messages: question, stream: true, stream_options: { include_usage: true },
    });
    let content = "", annotations = [], usage = null;
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta?.content ?? "";
      annotations.push(...(chunk.choices[0]?.delta?.annotations ?? []));
      usage = chunk.usage ?? usage;
    }
    return { content, cited: cited(content, annotations), tokens: usage.total_tokens };
  },

  async citedEvents() {
    const runner = client.chat.completions.stream({ model, messages: question });
    const completion = await runner.finalChatCompletion();
    return completion.choices[0].message.content;
  },

  async notForModels() {
    const refusals = [];
    for (const body of [{ model, temperature: 0.5 }, { model, tools: [{ type: "function", function: { name: "f" } }] }, { model: "knowledge/anti-fraud" }]) {
      try {
        await client.chat.completions.create({ messages: question, ...body });
      } catch (error) {
        refusals.push([error.constructor.name, error.param]);
      }
    }
    return refusals;
  },

  async aborted() {
    const stream = await client.chat.completions.create({ model, messages, max_completion_tokens: 64, stream: true });
    for await (const _ of stream) break; // ends the request
    return true;
  },
};

const seen = {};
for (const name of process.argv.slice(2)) seen[name] = await examples[name]();
console.log(JSON.stringify(seen));
await dispatcher.close();
