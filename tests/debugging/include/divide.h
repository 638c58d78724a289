__attribute__((noinline)) static int divide(int a, int b) {
    return a / b;
}
