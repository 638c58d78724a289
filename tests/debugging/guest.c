// The guest of `debugging.rs`. Its binaries are beside it: `make.sh` makes them.

#include "include/divide.h"

__attribute__((export_name("f"))) int f(int x) {
    int half = divide(100, x);
    return half + 1;
}
