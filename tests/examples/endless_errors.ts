const print: (line: string) => void = console.error;
for (;;) print("more");
