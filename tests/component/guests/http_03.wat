;; A guest that sends requests and handles them by WASI 0.3: see `network.wit`. Its response has the body of its request.
(module
    (import "wasi:http/types@0.3.0" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.3.0" "[static]request.new" (func $request (param i32 i32 i32 i32 i32 i32 i32)))
    (import "wasi:http/types@0.3.0" "[future-new-1][static]request.new" (func $trailers (result i64)))
    (import "wasi:http/types@0.3.0" "[async-lower][future-write-1][static]request.new"
        (func $write_trailers (param i32 i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[method]request.set-path-with-query"
        (func $set_path (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[method]request.set-scheme"
        (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[method]request.set-authority"
        (func $set_authority (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/client@0.3.0" "send" (func $send (param i32 i32)))
    (import "wasi:http/types@0.3.0" "[method]response.get-status-code" (func $status (param i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[static]response.consume-body" (func $consume (param i32 i32 i32)))
    (import "wasi:http/types@0.3.0" "[future-new-0][static]response.consume-body" (func $outcome (result i64)))
    (import "wasi:http/types@0.3.0" "[stream-read-1][static]response.consume-body"
        (func $read (param i32 i32 i32) (result i32)))
    (import "[export]$root" "[task-return]fetch" (func $return (param i32 i32)))
    (import "wasi:http/types@0.3.0" "[static]request.consume-body" (func $consume_request (param i32 i32 i32)))
    (import "wasi:http/types@0.3.0" "[future-new-0][static]request.consume-body" (func $request_outcome (result i64)))
    (import "wasi:http/types@0.3.0" "[stream-read-1][static]request.consume-body"
        (func $read_request (param i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[static]response.new" (func $response (param i32 i32 i32 i32 i32)))
    (import "wasi:http/types@0.3.0" "[method]response.set-status-code" (func $set_status (param i32 i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[stream-new-0][static]response.new" (func $body (result i64)))
    (import "wasi:http/types@0.3.0" "[stream-write-0][static]response.new"
        (func $write (param i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.3.0" "[stream-drop-writable-0][static]response.new" (func $end_body (param i32)))
    (import "wasi:http/types@0.3.0" "[future-new-1][static]response.new" (func $response_trailers (result i64)))
    (import "wasi:http/types@0.3.0" "[async-lower][future-write-1][static]response.new"
        (func $write_response_trailers (param i32 i32) (result i32)))
    (import "[export]wasi:http/handler@0.3.0" "[task-return]handle"
        (func $answer (param i32 i32 i32 i64 i32 i32 i32 i32)))

    (memory (export "memory") 4)
    (global $heap (mut i32) (i32.const 65536))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (local.get $at))

    (func $writable (param $ends i64) (result i32)
        (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))

    (func (export "[async-lift-stackful]fetch")
        (param $secure i32) (param $authority i32) (param $authority_length i32) (param $path i32)
        (param $path_length i32)
        (local $ends i64) (local $request i32) (local $response i32) (local $body i32) (local $got i32)
        (local $received i32)
        ;; At 512 is the absence of trailers, which stays there until the host reads it.
        (local.set $ends (call $trailers))
        (drop (call $write_trailers (call $writable (local.get $ends)) (i32.const 512)))
        (call $request (call $fields) (i32.const 0) (i32.const 0) (i32.wrap_i64 (local.get $ends))
            (i32.const 0) (i32.const 0) (i32.const 0))
        (local.set $request (i32.load (i32.const 0)))
        (drop (call $set_scheme (local.get $request) (i32.const 1) (local.get $secure) (i32.const 0) (i32.const 0)))
        (drop (call $set_path (local.get $request) (i32.const 1) (local.get $path) (local.get $path_length)))
        (if (call $set_authority (local.get $request) (i32.const 1) (local.get $authority)
                (local.get $authority_length))
            (then (call $return (i32.const 0) (i32.const 99)) (return)))
        (call $send (local.get $request) (i32.const 0))
        (if (i32.load8_u (i32.const 0)) (then
            (call $return (i32.const 0) (i32.load8_u (i32.const 8)))
            (return)))
        (local.set $response (i32.load (i32.const 8)))
        (local.set $got (call $status (local.get $response)))
        (call $consume (local.get $response) (i32.wrap_i64 (call $outcome)) (i32.const 0))
        (local.set $body (i32.load (i32.const 0)))
        (i32.store (i32.const 600) (local.get $got))
        (loop $more
            (local.set $got (call $read (local.get $body) (i32.const 4096) (i32.const 4096)))
            (local.set $received (i32.add (local.get $received) (i32.shr_u (local.get $got) (i32.const 4))))
            (br_if $more (i32.eqz (i32.and (local.get $got) (i32.const 15)))))
        (call $return (i32.load (i32.const 600)) (local.get $received)))

    (func (export "[async-lift-stackful]wasi:http/handler@0.3.0#handle") (param $request i32)
        (local $ends i64) (local $input i32) (local $output i32) (local $got i32) (local $count i32)
        (call $consume_request (local.get $request) (i32.wrap_i64 (call $request_outcome)) (i32.const 0))
        (local.set $input (i32.load (i32.const 0)))
        (local.set $ends (call $response_trailers))
        (drop (call $write_response_trailers (call $writable (local.get $ends)) (i32.const 512)))
        (local.set $output (i32.wrap_i64 (local.get $ends)))
        (local.set $ends (call $body))
        (call $response (call $fields) (i32.const 1) (i32.wrap_i64 (local.get $ends)) (local.get $output) (i32.const 0))
        (local.set $output (call $writable (local.get $ends)))
        (drop (call $set_status (i32.load (i32.const 0)) (i32.const 201)))
        (call $answer (i32.const 0) (i32.load (i32.const 0)) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0))
        (block $end
            (loop $more
                (local.set $got (call $read_request (local.get $input) (i32.const 8192) (i32.const 8192)))
                (local.set $count (i32.shr_u (local.get $got) (i32.const 4)))
                (if (local.get $count) (then
                    (br_if $end (i32.and (i32.const 15)
                        (call $write (local.get $output) (i32.const 8192) (local.get $count))))))
                (br_if $more (i32.eqz (i32.and (local.get $got) (i32.const 15))))))
        (call $end_body (local.get $output))))
