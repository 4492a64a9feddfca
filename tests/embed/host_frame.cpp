// A game's frame: the host draws a picture with its own graphics pipeline, copies it to a buffer, records a Fovea plan
// into the same command buffer, and reads the result. Prints the first mistake and exits 1; every message of the
// validation layer is a mistake.

#include "frame.frag.h"
#include "frame.vert.h"
#include "tests/support/host.hpp"
#include <fovea/fovea.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using fovea::test::Host;
using fovea::test::HostFeatures;
using fovea::test::must;

constexpr std::uint32_t width = 96, height = 64;
constexpr VkDeviceSize picture_bytes = width * height * sizeof(float);
constexpr VkFormat format = VK_FORMAT_R32_SFLOAT;  // a colour attachment on every Vulkan device
constexpr float background = 0.25f;

template <class Info>
Info info_of(VkStructureType type) {
  Info info{};
  info.sType = type;
  return info;
}

// What the host draws with.
struct Picture {
  VkImage image = VK_NULL_HANDLE;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkImageView view = VK_NULL_HANDLE;
  VkRenderPass pass = VK_NULL_HANDLE;
  VkFramebuffer framebuffer = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkPipeline pipeline = VK_NULL_HANDLE;
};

void make_image(Host& host, Picture& picture) {
  auto info = info_of<VkImageCreateInfo>(VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO);
  info.imageType = VK_IMAGE_TYPE_2D;
  info.format = format;
  info.extent = {width, height, 1};
  info.mipLevels = info.arrayLayers = 1;
  info.samples = VK_SAMPLE_COUNT_1_BIT;
  info.usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT;
  must(host.vk.CreateImage(host.device, &info, nullptr, &picture.image), "vkCreateImage");
  VkMemoryRequirements needs;
  host.vk.GetImageMemoryRequirements(host.device, picture.image, &needs);
  auto allocate = info_of<VkMemoryAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
  allocate.allocationSize = needs.size;
  allocate.memoryTypeIndex = host.memory_type(needs.memoryTypeBits, 0);
  must(host.vk.AllocateMemory(host.device, &allocate, nullptr, &picture.memory), "vkAllocateMemory");
  must(host.vk.BindImageMemory(host.device, picture.image, picture.memory, 0), "vkBindImageMemory");
  auto view = info_of<VkImageViewCreateInfo>(VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO);
  view.image = picture.image;
  view.viewType = VK_IMAGE_VIEW_TYPE_2D;
  view.format = format;
  view.subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
  must(host.vk.CreateImageView(host.device, &view, nullptr, &picture.view), "vkCreateImageView");
}

// Clears, draws, and leaves the image ready to be copied from.
void make_pass(Host& host, Picture& picture) {
  VkAttachmentDescription attachment{};
  attachment.format = format;
  attachment.samples = VK_SAMPLE_COUNT_1_BIT;
  attachment.loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR;
  attachment.storeOp = VK_ATTACHMENT_STORE_OP_STORE;
  attachment.stencilLoadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE;
  attachment.stencilStoreOp = VK_ATTACHMENT_STORE_OP_DONT_CARE;
  attachment.initialLayout = VK_IMAGE_LAYOUT_UNDEFINED;
  attachment.finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL;
  const VkAttachmentReference reference{0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
  VkSubpassDescription subpass{};
  subpass.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS;
  subpass.colorAttachmentCount = 1;
  subpass.pColorAttachments = &reference;
  // The last frame's copy out of the image before this frame's clear; this frame's drawing before its copy.
  const VkSubpassDependency dependencies[] = {
      {VK_SUBPASS_EXTERNAL, 0, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
       VK_ACCESS_TRANSFER_READ_BIT, VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, 0},
      {0, VK_SUBPASS_EXTERNAL, VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
       VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT, VK_ACCESS_TRANSFER_READ_BIT, 0}};
  auto info = info_of<VkRenderPassCreateInfo>(VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO);
  info.attachmentCount = info.subpassCount = 1;
  info.pAttachments = &attachment;
  info.pSubpasses = &subpass;
  info.dependencyCount = 2;
  info.pDependencies = dependencies;
  must(host.vk.CreateRenderPass(host.device, &info, nullptr, &picture.pass), "vkCreateRenderPass");
  auto framebuffer = info_of<VkFramebufferCreateInfo>(VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO);
  framebuffer.renderPass = picture.pass;
  framebuffer.attachmentCount = framebuffer.layers = 1;
  framebuffer.pAttachments = &picture.view;
  framebuffer.width = width;
  framebuffer.height = height;
  must(host.vk.CreateFramebuffer(host.device, &framebuffer, nullptr, &picture.framebuffer), "vkCreateFramebuffer");
}

VkPipelineShaderStageCreateInfo make_stage(Host& host, VkShaderStageFlagBits stage, const std::uint32_t* code,
                                           std::size_t bytes) {
  auto module = info_of<VkShaderModuleCreateInfo>(VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
  module.codeSize = bytes;
  module.pCode = code;
  auto info = info_of<VkPipelineShaderStageCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO);
  info.stage = stage;
  info.pName = "main";
  must(host.vk.CreateShaderModule(host.device, &module, nullptr, &info.module), "vkCreateShaderModule");
  return info;
}

void make_pipeline(Host& host, Picture& picture) {
  const auto layout = info_of<VkPipelineLayoutCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO);
  must(host.vk.CreatePipelineLayout(host.device, &layout, nullptr, &picture.layout), "vkCreatePipelineLayout");
  const VkPipelineShaderStageCreateInfo stages[] = {
      make_stage(host, VK_SHADER_STAGE_VERTEX_BIT, spirv_frame_vert, sizeof(spirv_frame_vert)),
      make_stage(host, VK_SHADER_STAGE_FRAGMENT_BIT, spirv_frame_frag, sizeof(spirv_frame_frag))};
  const auto vertices =
      info_of<VkPipelineVertexInputStateCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO);
  auto assembly =
      info_of<VkPipelineInputAssemblyStateCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO);
  assembly.topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST;
  const VkViewport viewport{0, 0, width, height, 0, 1};
  const VkRect2D scissor{{0, 0}, {width, height}};
  auto view = info_of<VkPipelineViewportStateCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO);
  view.viewportCount = view.scissorCount = 1;
  view.pViewports = &viewport;
  view.pScissors = &scissor;
  auto raster =
      info_of<VkPipelineRasterizationStateCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO);
  raster.lineWidth = 1;
  auto samples =
      info_of<VkPipelineMultisampleStateCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO);
  samples.rasterizationSamples = VK_SAMPLE_COUNT_1_BIT;
  VkPipelineColorBlendAttachmentState attachment{};
  attachment.colorWriteMask = VK_COLOR_COMPONENT_R_BIT;
  auto blend = info_of<VkPipelineColorBlendStateCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO);
  blend.attachmentCount = 1;
  blend.pAttachments = &attachment;
  auto info = info_of<VkGraphicsPipelineCreateInfo>(VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO);
  info.stageCount = 2;
  info.pStages = stages;
  info.pVertexInputState = &vertices;
  info.pInputAssemblyState = &assembly;
  info.pViewportState = &view;
  info.pRasterizationState = &raster;
  info.pMultisampleState = &samples;
  info.pColorBlendState = &blend;
  info.layout = picture.layout;
  info.renderPass = picture.pass;
  must(host.vk.CreateGraphicsPipelines(host.device, VK_NULL_HANDLE, 1, &info, nullptr, &picture.pipeline),
       "vkCreateGraphicsPipelines");
  for (const VkPipelineShaderStageCreateInfo& stage : stages)
    host.vk.DestroyShaderModule(host.device, stage.module, nullptr);
}

void destroy(Host& host, const Picture& picture) {
  host.vk.DestroyPipeline(host.device, picture.pipeline, nullptr);
  host.vk.DestroyPipelineLayout(host.device, picture.layout, nullptr);
  host.vk.DestroyFramebuffer(host.device, picture.framebuffer, nullptr);
  host.vk.DestroyRenderPass(host.device, picture.pass, nullptr);
  host.vk.DestroyImageView(host.device, picture.view, nullptr);
  host.vk.DestroyImage(host.device, picture.image, nullptr);
  host.vk.FreeMemory(host.device, picture.memory, nullptr);
}

void draw(Host& host, const Picture& picture, VkCommandBuffer commands, VkBuffer copy_to) {
  auto begin = info_of<VkRenderPassBeginInfo>(VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO);
  VkClearValue clear{};
  clear.color.float32[0] = background;
  begin.renderPass = picture.pass;
  begin.framebuffer = picture.framebuffer;
  begin.renderArea = {{0, 0}, {width, height}};
  begin.clearValueCount = 1;
  begin.pClearValues = &clear;
  host.vk.CmdBeginRenderPass(commands, &begin, VK_SUBPASS_CONTENTS_INLINE);
  host.vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, picture.pipeline);
  host.vk.CmdDraw(commands, 3, 1, 0, 0);
  host.vk.CmdEndRenderPass(commands);
  const VkBufferImageCopy region{0, 0, 0, {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1}, {0, 0, 0}, {width, height, 1}};
  host.vk.CmdCopyImageToBuffer(commands, picture.image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, copy_to, 1, &region);
}

void barrier(Host& host, VkCommandBuffer commands, VkPipelineStageFlags from, VkAccessFlags written,
             VkPipelineStageFlags to, VkAccessFlags read) {
  auto info = info_of<VkMemoryBarrier>(VK_STRUCTURE_TYPE_MEMORY_BARRIER);
  info.srcAccessMask = written;
  info.dstAccessMask = read;
  host.vk.CmdPipelineBarrier(commands, from, to, 0, 1, &info, 0, nullptr, 0, nullptr);
}

// The plan: Reinhard's tone curve, and how much it took away. Several dispatches, so that barriers are recorded too.
fovea::Result<fovea::Plan> compile_tone_map(fovea::Context& context) {
  fovea::Graph graph;
  const fovea::Tensor image = graph.input("image", {height, width});
  const fovea::Tensor mapped = image / (image + 1.0f);
  graph.output("mapped", mapped);
  graph.output("lost", image - mapped);
  return context.compile(graph, {.fuse = false});
}

int check_pixels(const float* picture, const float* mapped, const float* lost) {
  std::uint32_t drawn = 0;
  for (std::uint32_t row = 0; row < height; ++row) {
    for (std::uint32_t column = 0; column < width; ++column) {
      const std::uint32_t at = row * width + column;
      const float inside = static_cast<float>(column + 256 * row);
      if (picture[at] != inside && picture[at] != background)
        return std::printf("pixel %u,%u is %g\n", column, row, static_cast<double>(picture[at])), 1;
      drawn += picture[at] == inside;
      const double x = static_cast<double>(picture[at]), expected = x / (x + 1);
      // One addition, one division (2.5 ulp in Vulkan) and one subtraction, of values near x.
      if (std::abs(static_cast<double>(mapped[at]) - expected) > 4e-7 * expected ||
          std::abs(static_cast<double>(lost[at]) - (x - expected)) > 4e-7 * (x + 1))
        return std::printf("%u,%u: %g became %g and %g\n", column, row, x, static_cast<double>(mapped[at]),
                           static_cast<double>(lost[at])),
               1;
    }
  }
  const std::uint32_t half = width * height / 2;
  if (drawn < half - width || drawn > half + width) return std::printf("%u pixels were drawn\n", drawn), 1;
  return 0;
}

int run_frames(Host& host, fovea::Context& context, const Picture& picture) {
  fovea::Result<fovea::Plan> plan = compile_tone_map(context);
  if (!plan) return std::printf("%s\n", plan.error().message.c_str()), 1;
  // One buffer for all three, at the device's alignment: the picture, and the two results.
  const Host::Mapped bytes =
      host.make_buffer(3 * picture_bytes, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
  static_assert(picture_bytes % 256 == 0);  // the largest alignment that Vulkan allows a device
  int status = 0;
  {
    const fovea::PortVkBuffer ports[] = {
        {"image", bytes.buffer, 0}, {"mapped", bytes.buffer, picture_bytes}, {"lost", bytes.buffer, 2 * picture_bytes}};
    fovea::Result<fovea::Bindings> bindings = fovea::bind(*plan, ports);
    if (!bindings) return std::printf("%s\n", bindings.error().message.c_str()), 1;
    for (int frame = 0; frame < 3 && status == 0; ++frame) {
      std::memset(bytes.data, 0xff, 3 * picture_bytes);
      const VkCommandBuffer commands = host.begin_commands();
      draw(host, picture, commands, bytes.buffer);
      barrier(host, commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
              VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT);
      const fovea::Result<void> recorded = fovea::record(*plan, commands, *bindings);
      if (!recorded) return std::printf("%s\n", recorded.error().message.c_str()), 1;
      barrier(host, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
              VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
              VK_ACCESS_HOST_READ_BIT);
      host.submit_and_wait(commands);
      const auto* values = reinterpret_cast<const float*>(bytes.data);
      status = check_pixels(values, values + width * height, values + 2 * width * height);
    }
  }
  host.destroy(bytes);
  return status;
}

int run_host(std::uint32_t version, HostFeatures features) {
  Host host(version, features);
  Picture picture;
  make_image(host, picture);
  make_pass(host, picture);
  make_pipeline(host, picture);
  int status = 0;
  {
    fovea::AdoptOptions options;
    options.log = [&](fovea::LogLevel, std::string_view text) { host.messages.emplace_back(text); };
    fovea::Result<fovea::Context> context = fovea::adopt(host.description(), options);
    if (!context) return std::printf("%s\n", context.error().message.c_str()), 1;
    status = run_frames(host, *context, picture);
  }
  destroy(host, picture);
  for (const std::string& message : host.messages) std::printf("message: %s\n", message.c_str());
  return status != 0 || !host.messages.empty();
}

}  // namespace

int main() {
  if (run_host(VK_API_VERSION_1_1, HostFeatures::none) != 0) return 1;
  if (run_host(VK_API_VERSION_1_1, HostFeatures::fovea) != 0) return 1;
  if (run_host(VK_API_VERSION_1_3, HostFeatures::merged) != 0) return 1;
  std::puts("three frames each on a plain, an extended and a merged device: right");
}
