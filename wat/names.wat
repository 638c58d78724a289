;; Export names that are legal and strange.
(module
  (func (export ""))
  (func (export "with space"))
  (func (export "\"quoted\""))
  (func (export "größe"))
  (func (export "\f0\9f\a6\80"))
  (func (export "__proto__"))
  (func (export "constructor")))
