// An exception has a stack if JavaScript asks for it.
const tag = new W.Tag({ parameters: [] });
const traced = new W.Exception(tag, [], { traceStack: true });
same([typeof traced.stack, Object.keys(traced)], ["string", []]);
for (const options of [undefined, {}, { traceStack: false }]) same(new W.Exception(tag, [], options).stack, undefined);
throws(TypeError, () => new W.Exception(tag, [], 5));
