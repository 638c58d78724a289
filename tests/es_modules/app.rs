//! An app of several files, which import each other.

use std::cell::Cell;
use std::rc::Rc;

use deno_core::error::ModuleLoaderError;
use deno_core::{
    JsRuntime, ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader,
    ModuleSource, ModuleSourceCode, ModuleSpecifier, ModuleType, PollEventLoopOptions,
    ResolutionKind, RuntimeOptions, resolve_import, v8,
};
use deno_error::JsErrorBox;
use ext_wasm::{EsModules, WasmCapabilities, WasmState};

use crate::hostile;
use crate::support::js::host;

/// What the scripts of all apps may use.
const PRELUDE: &str = include_str!("prelude.js");

/// The files of an app in the folder `app:/`, and what it is granted.
pub struct App {
    files: Vec<(String, Vec<u8>)>,
    capabilities: WasmCapabilities,
}

impl App {
    /// An app whose files are given as text. A file `NAME.wat` is loaded as `NAME.wasm`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(name, text)| {
            let (name, content) = match name.strip_suffix(".wat") {
                Some(stem) => (format!("{stem}.wasm"), wat::parse_str(text).unwrap()),
                None => ((*name).to_owned(), text.as_bytes().to_vec()),
            };
            (name, content)
        });
        Self {
            files: files.collect(),
            capabilities: WasmCapabilities::builder().webassembly_global(true).build(),
        }
    }

    /// Adds a file.
    pub fn file(mut self, name: &str, content: Vec<u8>) -> Self {
        self.files.push((name.to_owned(), content));
        self
    }

    /// Changes what the app is granted.
    pub fn granted(mut self, change: impl FnOnce(&mut WasmCapabilities)) -> Self {
        change(&mut self.capabilities);
        self
    }

    /// Starts the app, without running a file of it.
    pub fn start(self) -> RunningApp {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let state = WasmState::new(self.capabilities).unwrap();
        let loader = Rc::new(Loader {
            files: self.files,
            es_modules: EsModules::new(&state),
            loads: Cell::default(),
        });
        let entered = tokio.enter();
        let mut runtime = JsRuntime::new(RuntimeOptions {
            extensions: vec![ext_wasm::host_wasm::init(state), host()],
            module_loader: Some(loader.clone()),
            ..Default::default()
        });
        runtime.execute_script("app:prelude", PRELUDE).unwrap();
        drop(entered);
        let mut this = RunningApp {
            runtime,
            tokio,
            loader,
            is_hostile: false,
        };
        if let Some(hostile) = hostile::prelude() {
            this.patch_builtins(hostile);
        }
        this
    }

    /// Runs `main.js`, and returns what its default export is.
    pub fn run(self) -> serde_json::Value {
        self.start().run()
    }
}

/// An app that runs.
pub struct RunningApp {
    runtime: JsRuntime,
    tokio: tokio::runtime::Runtime,
    pub loader: Rc<Loader>,
    /// Whether builtins are patched and polluted.
    is_hostile: bool,
}

impl RunningApp {
    fn patch_builtins(&mut self, script: String) {
        let name = ModuleSpecifier::parse("app:/hostile.js").unwrap();
        let runtime = &mut self.runtime;
        self.tokio.block_on(async {
            let module = runtime.load_side_es_module_from_code(&name, script).await;
            let evaluated = runtime.mod_evaluate(module.unwrap());
            let looped = runtime.run_event_loop(PollEventLoopOptions::default());
            looped.await.unwrap();
            evaluated.await.unwrap();
        });
        self.is_hostile = true;
    }

    /// Runs `main.js`, and returns what its default export is.
    pub fn run(&mut self) -> serde_json::Value {
        self.load("app:/main.js")
            .unwrap_or_else(|error| panic!("{error}"));
        if self.is_hostile {
            let used = self.text("globalThis.usedByHostWasm()");
            assert_eq!(used, "", "host:wasm uses builtins that scripts can change");
        }
        let shown = self.text("globalThis.shown");
        serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"))
    }

    /// Evaluates an expression whose value is text.
    fn text(&mut self, expression: &'static str) -> String {
        let runtime = &mut self.runtime;
        let text = runtime.execute_script("app:text", expression).unwrap();
        deno_core::scope!(scope, runtime);
        v8::Local::new(scope, text).to_rust_string_lossy(scope)
    }

    /// Runs a file as the main module.
    pub fn load(&mut self, file: &str) -> Result<(), deno_core::error::CoreError> {
        let main = ModuleSpecifier::parse(file).unwrap();
        let runtime = &mut self.runtime;
        self.tokio.block_on(async {
            let module = runtime.load_main_es_module(&main).await?;
            let evaluated = runtime.mod_evaluate(module);
            runtime
                .run_event_loop(PollEventLoopOptions::default())
                .await?;
            evaluated.await
        })
    }
}

/// Loads the files of an app.
pub struct Loader {
    files: Vec<(String, Vec<u8>)>,
    es_modules: EsModules,
    /// How many WebAssembly modules were loaded.
    pub loads: Cell<u32>,
}

impl ModuleLoader for Loader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        resolve_import(specifier, referrer).map_err(JsErrorBox::from_err)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        let name = specifier.path().trim_start_matches('/');
        let Some((name, content)) = self.files.iter().find(|(known, _)| known == name) else {
            let missing = JsErrorBox::generic(format!("no file {specifier}"));
            return ModuleLoadResponse::Sync(Err(missing));
        };
        if name.ends_with(".wasm") {
            self.loads.set(self.loads.get() + 1);
            return match options.is_synchronous {
                true => ModuleLoadResponse::Sync(self.es_modules.load_now(specifier, content)),
                false => {
                    let loaded = self.es_modules.load(specifier, content.clone());
                    ModuleLoadResponse::Async(Box::pin(loaded))
                }
            };
        }
        let text = String::from_utf8(content.clone()).unwrap();
        let code = match name.ends_with(".ts") {
            true => {
                forge_weld::transpile(specifier.as_str(), &text)
                    .unwrap()
                    .code
            }
            false => text,
        };
        ModuleLoadResponse::Sync(Ok(ModuleSource::new(
            ModuleType::JavaScript,
            ModuleSourceCode::String(code.into()),
            specifier,
            None,
        )))
    }
}
