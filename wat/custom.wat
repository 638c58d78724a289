;; Custom sections, which the host may read and the guest does not see.
(module
  (@custom "greeting" "hello")
  (@custom "greeting" "world")
  (func (export "nothing")))
