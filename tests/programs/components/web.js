// A handler of requests. componentize-js makes wasi:http/incoming-handler of the event `fetch`.
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { method, headers } = request;
  const { pathname, searchParams } = new URL(request.url);
  switch (`${method} ${pathname}`) {
    case "GET /greet": {
      const greeting = { hello: searchParams.get("name"), accept: headers.get("accept") };
      return Response.json(greeting, { status: 201, headers: { "x-made-by": "web.js" } });
    }
    case "POST /words": {
      const text = await request.text();
      return Response.json(text.split(/\s+/).filter((word) => word !== ""));
    }
    case "POST /upper": {
      // Part by part: the response starts before the request has ended.
      const upper = new TransformStream({
        transform(part, controller) {
          controller.enqueue(part.map((byte) => byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte));
        },
      });
      return new Response(request.body.pipeThrough(upper), { headers: { "content-type": "text/plain" } });
    }
    case "GET /elsewhere":
      try {
        return await fetch("http://127.0.0.1:9/");
      } catch (error) {
        return new Response(error.name, { status: 502, headers: { "content-type": "text/plain" } });
      }
    case "GET /empty":
      return new Response(null, { status: 204 });
    default:
      return new Response("no such page", { status: 404, headers: { "content-type": "text/plain" } });
  }
}
