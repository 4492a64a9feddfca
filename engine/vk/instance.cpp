#include "vk/instance.hpp"

#include "base/log.hpp"
#include "vk/enumerate.hpp"
#include "vk/error.hpp"
#include "vk/features.hpp"
#include "vk/newer_headers.hpp"

#include <algorithm>
#include <string>

namespace fovea::vk {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";
constexpr std::uint32_t newest_version = VK_API_VERSION_1_3;  // of which Fovea uses anything

Result<std::vector<VkExtensionProperties>> list_extensions(const GlobalTable& global, const char* layer) {
  std::vector<VkExtensionProperties> list;
  const VkResult result = enumerate(list, [&](std::uint32_t* count, VkExtensionProperties* data) {
    return global.EnumerateInstanceExtensionProperties(layer, count, data);
  });
  if (result != VK_SUCCESS) return error(result, "vkEnumerateInstanceExtensionProperties");
  return list;
}

// The version of Vulkan a layer was built for. Error: it is not installed.
Result<std::uint32_t> layer_version(const GlobalTable& global, std::string_view name) {
  std::vector<VkLayerProperties> layers;
  const VkResult result = enumerate(layers, global.EnumerateInstanceLayerProperties);
  if (result != VK_SUCCESS) return error(result, "vkEnumerateInstanceLayerProperties");
  for (const VkLayerProperties& layer : layers)
    if (name == layer.layerName) return layer.specVersion;
  return Error{ErrorCode::unsupported, cat(name, " is not installed")};
}

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                          VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
  const auto& log = *static_cast<const LogFunction*>(user);
  const bool is_error = (severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT) != 0;
  const char* id = data->pMessageIdName ? data->pMessageIdName : "";
  log_message(log, is_error ? LogLevel::error : LogLevel::warning, "validation: ", id, ": ",
              data->pMessage ? data->pMessage : "");
  return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info(LogFunction* log) {
  VkDebugUtilsMessengerCreateInfoEXT info{};
  info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
  info.messageSeverity =
      VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  info.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
  info.pfnUserCallback = on_message;
  info.pUserData = log;
  return info;
}

// What turns synchronization validation on: layers since 1.3.272 take settings, older ones VkValidationFeaturesEXT.
struct SynchronizationValidation {
  const VkBool32 on = VK_TRUE;
  // Without the heuristic, storage buffers that a pair of dispatches shares are not looked at.
  const LayerSetting settings[2] = {{validation_layer, "validate_sync", 0, 1, &on},
                                    {validation_layer, "syncval_shader_accesses_heuristic", 0, 1, &on}};
  const VkValidationFeatureEnableEXT enable = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  LayerSettingsCreateInfo layer_settings{layer_settings_type, nullptr, 2, settings};
  VkValidationFeaturesEXT features{VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, nullptr, 1, &enable, 0, nullptr};
};

// Links what the installed layer takes behind `info`, and names the extension that carries it where it is listed: a
// layer reads its settings from the chain even when its manifest lists no extensions, as some distributions cut it.
void turn_on(SynchronizationValidation& sync, const GlobalTable& global, std::uint32_t version,
             VkInstanceCreateInfo& info, std::vector<const char*>& extensions) {
  const Result<std::vector<VkExtensionProperties>> list = list_extensions(global, validation_layer);
  const Extensions offered = list ? Extensions(*list) : Extensions();
  const bool takes_settings = version >= layer_settings_version;
  const char* extension = takes_settings ? layer_settings_extension : VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
  if (offered.has(extension)) extensions.push_back(extension);
  if (takes_settings) {
    sync.layer_settings.pNext = info.pNext;
    info.pNext = &sync.layer_settings;
  } else {
    sync.features.pNext = info.pNext;
    info.pNext = &sync.features;
  }
}

}  // namespace

Result<std::vector<const char*>> wanted_instance_extensions(const GlobalTable& global) {
  const Result<std::vector<VkExtensionProperties>> list = list_extensions(global, nullptr);
  if (!list) return list.error();
  const Extensions available(*list);
  std::vector<const char*> wanted;
  for (const char* name : {VK_EXT_DEBUG_UTILS_EXTENSION_NAME, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME})
    if (available.has(name)) wanted.push_back(name);
  return wanted;
}

Result<std::unique_ptr<Instance>> Instance::create(Options options) {
  std::unique_ptr<Instance> instance(new Instance);
  instance->get_instance_proc_addr_ = options.get_instance_proc_addr;
  if (!options.get_instance_proc_addr) {
    Result<Loader> loader = Loader::open();
    if (!loader) return loader.error();
    instance->loader_ = std::move(*loader);
    instance->get_instance_proc_addr_ = instance->loader_.get_instance_proc_addr();
  }
  instance->log_ = options.log;
  instance->owned_ = true;
  if (Result<void> made = instance->make(options); !made) return made.error();
  return instance;
}

Result<void> Instance::make(const Options& options) {
  const Result<GlobalTable> global = load_global(get_instance_proc_addr_);
  if (!global) return global.error();
  std::uint32_t loader_version = VK_API_VERSION_1_0;
  if (global->EnumerateInstanceVersion) {
    const VkResult result = global->EnumerateInstanceVersion(&loader_version);
    if (result != VK_SUCCESS) return error(result, "vkEnumerateInstanceVersion");
  }
  if (loader_version < VK_API_VERSION_1_1) return Error{ErrorCode::unsupported, "the Vulkan loader is older than 1.1"};
  api_version_ = std::min(loader_version, newest_version);

  Result<std::vector<const char*>> extensions = wanted_instance_extensions(*global);
  if (!extensions) return extensions.error();
  const Extensions enabled(*extensions);
  debug_utils_ = enabled.has(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);

  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pEngineName = "Fovea";
  application.apiVersion = api_version_;
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  if (enabled.has(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME))
    info.flags = VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
  const VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(&log_);
  if (debug_utils_) info.pNext = &messenger;

  const auto own_extensions = static_cast<std::uint32_t>(extensions->size());
  SynchronizationValidation sync;
  Result<std::uint32_t> layer = Error{};
  if (options.validation) layer = layer_version(*global, validation_layer);
  if (options.validation && !layer)
    log_message(log_, LogLevel::warning, "validation was asked for, but ", layer.error().message);
  if (layer) {
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &validation_layer;
    turn_on(sync, *global, *layer, info, *extensions);
  }
  info.enabledExtensionCount = static_cast<std::uint32_t>(extensions->size());
  info.ppEnabledExtensionNames = extensions->data();
  VkInstance made = VK_NULL_HANDLE;  // anything after a failure
  VkResult result = global->CreateInstance(&info, nullptr, &made);
  if (result == VK_ERROR_EXTENSION_NOT_PRESENT && layer) {
    // A loader before 1.3.272 refuses the settings' extension by name although the layer lists it; the layer reads its
    // settings from the chain all the same.
    info.enabledExtensionCount = own_extensions;
    result = global->CreateInstance(&info, nullptr, &made);
  }
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
    return Error{ErrorCode::unsupported,
                 "no Vulkan driver is installed: vkCreateInstance: VK_ERROR_INCOMPATIBLE_DRIVER"};
  if (result != VK_SUCCESS) return error(result, "vkCreateInstance");
  handle_ = made;

  if (Result<void> loaded = load_instance(get_instance_proc_addr_, handle_, api_version_, fn_); !loaded) return loaded;
  // Also without the option: the environment (VK_INSTANCE_LAYERS) may have turned a layer on.
  if (!debug_utils_ || !fn_.CreateDebugUtilsMessengerEXT || !fn_.DestroyDebugUtilsMessengerEXT) return {};
  VkDebugUtilsMessengerEXT made_messenger = VK_NULL_HANDLE;
  result = fn_.CreateDebugUtilsMessengerEXT(handle_, &messenger, nullptr, &made_messenger);
  if (result == VK_SUCCESS) messenger_ = made_messenger;
  else log_message(log_, LogLevel::warning, error(result, "vkCreateDebugUtilsMessengerEXT").message);
  return {};
}

Result<std::unique_ptr<Instance>> Instance::adopt(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance handle,
                                                  std::uint32_t api_version, const Extensions& enabled,
                                                  LogFunction log) {
  std::unique_ptr<Instance> instance(new Instance);
  instance->get_instance_proc_addr_ = get_instance_proc_addr;
  if (Result<void> loaded = load_instance(get_instance_proc_addr, handle, api_version, instance->fn_); !loaded)
    return loaded.error();
  instance->handle_ = handle;
  instance->api_version_ = api_version;
  instance->debug_utils_ = enabled.has(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
  instance->log_ = std::move(log);
  return instance;
}

Instance::~Instance() {
  if (!owned_ || !handle_) return;
  if (messenger_) fn_.DestroyDebugUtilsMessengerEXT(handle_, messenger_, nullptr);
  if (fn_.DestroyInstance) fn_.DestroyInstance(handle_, nullptr);
}

}  // namespace fovea::vk
