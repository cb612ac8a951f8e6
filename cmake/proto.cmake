# Messages and client stubs from proto/, generated into the build folder.
#   ollama_proxy_proto          messages; what the daemon links
#   ollama_proxy_proto_client   the stubs, for tests
if(NOT OLLAMA_PROXY_GRPC)
    return()
endif()
find_package(Protobuf REQUIRED)  # before gRPC, and as CMake's module: distributions ship no config of it
find_package(gRPC CONFIG REQUIRED)
if(TARGET re2::re2)  # its -pthread, which changes nothing here, would make the precompiled header unusable
    set_target_properties(re2::re2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
endif()

set(PROTO_OUT "${CMAKE_BINARY_DIR}/generated/proto")
file(MAKE_DIRECTORY "${PROTO_OUT}")
foreach(name IN ITEMS ollama_proxy grpc/health/v1/health)
    set(proto "${CMAKE_SOURCE_DIR}/proto/${name}.proto")
    add_custom_command(
        OUTPUT "${PROTO_OUT}/${name}.pb.cc" "${PROTO_OUT}/${name}.pb.h"
        COMMAND protobuf::protoc "--proto_path=${CMAKE_SOURCE_DIR}/proto" "--cpp_out=${PROTO_OUT}" "${proto}"
        DEPENDS "${proto}" VERBATIM)
    add_custom_command(
        OUTPUT "${PROTO_OUT}/${name}.grpc.pb.cc" "${PROTO_OUT}/${name}.grpc.pb.h"
        COMMAND protobuf::protoc "--proto_path=${CMAKE_SOURCE_DIR}/proto" "--grpc_out=${PROTO_OUT}"
                "--plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>" "${proto}"
        DEPENDS "${proto}" VERBATIM)
    list(APPEND proto_sources "${PROTO_OUT}/${name}.pb.cc")
    list(APPEND stub_sources "${PROTO_OUT}/${name}.grpc.pb.cc")
endforeach()

# our flags for the sanitizers' sake, without our warnings: nobody here writes this code
add_library(ollama_proxy_proto STATIC ${proto_sources})
target_link_libraries(ollama_proxy_proto PRIVATE ollama_proxy_options PUBLIC protobuf::libprotobuf)
target_include_directories(ollama_proxy_proto SYSTEM PUBLIC "${PROTO_OUT}")
target_compile_options(ollama_proxy_proto PRIVATE -w)

add_library(ollama_proxy_proto_client STATIC EXCLUDE_FROM_ALL ${stub_sources})
target_link_libraries(ollama_proxy_proto_client PRIVATE ollama_proxy_options
                      PUBLIC ollama_proxy_proto gRPC::grpc++)
target_compile_options(ollama_proxy_proto_client PRIVATE -w)
