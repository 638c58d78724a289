const print: (line: string) => void = console.log;
for (;;) print("more");
