;; A guest that sends requests and handles them: see `network.wit`. Its response has the body of its request.
(module
    (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop_pollable (param i32)))
    (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.0" "[resource-drop]input-stream" (func $drop_input (param i32)))
    (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $drop_output (param i32)))
    (import "wasi:http/types@0.2.0" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-request.body" (func $request_body (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-method"
        (func $set_method (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query"
        (func $set_path (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme"
        (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority"
        (func $set_authority (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $send (param i32 i32 i32 i32)))
    (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe"
        (func $subscribe (param i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $get (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[resource-drop]future-incoming-response" (func $drop_future (param i32)))
    (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]incoming-response.consume" (func $consume (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[resource-drop]incoming-response" (func $drop_response (param i32)))
    (import "wasi:http/types@0.2.0" "[method]incoming-body.stream" (func $body_stream (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[resource-drop]incoming-body" (func $drop_body (param i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-body.write" (func $body_write (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
    ;; HANDLER
    (import "wasi:http/types@0.2.0" "[method]incoming-request.consume" (func $consume_request (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[resource-drop]incoming-request" (func $drop_request (param i32)))
    (import "wasi:http/types@0.2.0" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-response.set-status-code"
        (func $set_status (param i32 i32) (result i32)))
    (import "wasi:http/types@0.2.0" "[method]outgoing-response.body" (func $response_body (param i32 i32)))
    (import "wasi:http/types@0.2.0" "[static]response-outparam.set"
        (func $answer (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    ;; END

    (memory (export "memory") 4)
    (global $heap (mut i32) (i32.const 65536))
    (func $reset (global.set $heap (i32.const 65536)))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (local.get $at))

    ;; Makes a request and sends it: the number of its response, or the error as -1 minus its number.
    (func $open (param $secure i32) (param $authority i32) (param $authority_length i32) (param $path i32)
        (param $path_length i32) (param $count i32) (result i32)
        (local $request i32) (local $body i32) (local $output i32) (local $future i32) (local $part i32)
        (local.set $request (call $request (call $fields)))
        (drop (call $set_scheme (local.get $request) (i32.const 1) (local.get $secure) (i32.const 0) (i32.const 0)))
        (if (call $set_authority (local.get $request) (i32.const 1) (local.get $authority)
                (local.get $authority_length))
            (then (return (i32.const -100))))
        (if (local.get $path_length) (then
            (drop (call $set_path (local.get $request) (i32.const 1) (local.get $path) (local.get $path_length)))))
        (if (local.get $count) (then
            (drop (call $set_method (local.get $request) (i32.const 2) (i32.const 0) (i32.const 0)))
            (call $request_body (local.get $request) (i32.const 0))
            (local.set $body (i32.load (i32.const 4)))))
        (call $send (local.get $request) (i32.const 0) (i32.const 0) (i32.const 0))
        (if (i32.load8_u (i32.const 0)) (then
            (return (i32.sub (i32.const -1) (i32.load8_u (i32.const 8))))))
        (local.set $future (i32.load (i32.const 8)))
        (if (local.get $count) (then
            (call $body_write (local.get $body) (i32.const 0))
            (local.set $output (i32.load (i32.const 4)))
            (block $closed
                (loop $more
                    (local.set $part (select (i32.const 4096) (local.get $count)
                        (i32.gt_u (local.get $count) (i32.const 4096))))
                    (call $write (local.get $output) (i32.const 1024) (local.get $part) (i32.const 0))
                    (br_if $closed (i32.load8_u (i32.const 0)))
                    (local.set $count (i32.sub (local.get $count) (local.get $part)))
                    (br_if $more (local.get $count))))
            (call $drop_output (local.get $output))
            (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 0))))
        (local.get $future))

    (func (export "start") (param $authority i32) (param $length i32) (result i32) (local $future i32)
        (local.set $future (call $open (i32.const 0) (local.get $authority) (local.get $length) (i32.const 0)
            (i32.const 0) (i32.const 0)))
        (call $reset)
        (if (result i32) (i32.lt_s (local.get $future) (i32.const 0))
            (then (i32.sub (i32.const 0) (local.get $future)))
            (else (i32.const 0))))

    (func (export "fetch") (param $secure i32) (param $authority i32) (param $authority_length i32) (param $path i32)
        (param $path_length i32) (param $count i32) (result i32)
        (local $future i32) (local $pollable i32) (local $response i32) (local $body i32) (local $input i32)
        (local $received i32)
        (i32.store (i32.const 256) (i32.const 0))
        (local.set $future (call $open (local.get $secure) (local.get $authority) (local.get $authority_length)
            (local.get $path) (local.get $path_length) (local.get $count)))
        (call $reset)
        (if (i32.lt_s (local.get $future) (i32.const 0)) (then
            (i32.store (i32.const 260) (i32.sub (i32.const -1) (local.get $future)))
            (return (i32.const 256))))
        (local.set $pollable (call $subscribe (local.get $future)))
        (call $block (local.get $pollable))
        (call $drop_pollable (local.get $pollable))
        (call $get (local.get $future) (i32.const 0))
        (call $drop_future (local.get $future))
        ;; The option is at 0, the outer result at 8, the inner one at 16, and its value at 24.
        (if (i32.or (i32.eqz (i32.load8_u (i32.const 0))) (i32.load8_u (i32.const 8))) (then unreachable))
        (if (i32.load8_u (i32.const 16)) (then
            (i32.store (i32.const 260) (i32.load8_u (i32.const 24)))
            (call $reset)
            (return (i32.const 256))))
        (local.set $response (i32.load (i32.const 24)))
        (i32.store (i32.const 256) (call $status (local.get $response)))
        (call $consume (local.get $response) (i32.const 0))
        (local.set $body (i32.load (i32.const 4)))
        (call $body_stream (local.get $body) (i32.const 0))
        (local.set $input (i32.load (i32.const 4)))
        (block $closed
            (loop $more
                (call $reset)
                (call $read (local.get $input) (i64.const 4096) (i32.const 0))
                (br_if $closed (i32.load8_u (i32.const 0)))
                (local.set $received (i32.add (local.get $received) (i32.load (i32.const 8))))
                (br $more)))
        ;; The first case of the error is a failure, the second the end.
        (if (i32.eqz (i32.load8_u (i32.const 4))) (then
            (i32.store (i32.const 256) (i32.const 1000))
            (i32.store (i32.const 260) (local.get $received))
            (return (i32.const 256))))
        (call $drop_input (local.get $input))
        (call $drop_body (local.get $body))
        (call $drop_response (local.get $response))
        (call $reset)
        (i32.store (i32.const 260) (local.get $received))
        (i32.const 256))

    ;; HANDLER
    (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $request i32) (param $out i32)
        (local $from i32) (local $input i32) (local $response i32) (local $body i32) (local $output i32)
        (call $consume_request (local.get $request) (i32.const 0))
        (local.set $from (i32.load (i32.const 4)))
        (call $body_stream (local.get $from) (i32.const 0))
        (local.set $input (i32.load (i32.const 4)))
        (local.set $response (call $response (call $fields)))
        (drop (call $set_status (local.get $response) (i32.const 201)))
        (call $response_body (local.get $response) (i32.const 0))
        (local.set $body (i32.load (i32.const 4)))
        (call $body_write (local.get $body) (i32.const 0))
        (local.set $output (i32.load (i32.const 4)))
        (call $answer (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0))
        (block $closed
            (loop $more
                (call $reset)
                (call $read (local.get $input) (i64.const 4096) (i32.const 0))
                (br_if $closed (i32.load8_u (i32.const 0)))
                (call $write (local.get $output) (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 16))
                (br_if $closed (i32.load8_u (i32.const 16)))
                (br $more)))
        (call $drop_output (local.get $output))
        (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $drop_input (local.get $input))
        (call $drop_body (local.get $from))
        (call $drop_request (local.get $request)))
    ;; END
)
