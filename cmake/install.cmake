include(GNUInstallDirs)
if(TARGET ollama-proxy)
    install(TARGETS ollama-proxy RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES "${CMAKE_SOURCE_DIR}/config/config.yaml" "${CMAKE_SOURCE_DIR}/config/schema.json"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/ollama-proxy)
configure_file("${CMAKE_SOURCE_DIR}/systemd/ie.fio.ollamaproxy.service.in"
               "${CMAKE_BINARY_DIR}/ie.fio.ollamaproxy.service" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/ie.fio.ollamaproxy.service" "${CMAKE_SOURCE_DIR}/systemd/ie.fio.ollamaproxy.socket"
        DESTINATION lib/systemd/user)
foreach(part IN ITEMS Efficiency Backends Routing Thermal SystemState)
    set(name "ie.fio.OllamaProxy.${part}")
    configure_file("${CMAKE_SOURCE_DIR}/systemd/dbus-activation.service.in" "${CMAKE_BINARY_DIR}/dbus/${name}.service"
                   @ONLY)
    install(FILES "${CMAKE_BINARY_DIR}/dbus/${name}.service" DESTINATION ${CMAKE_INSTALL_DATADIR}/dbus-1/services)
endforeach()
install(FILES "${CMAKE_SOURCE_DIR}/systemd/strict.conf" "${CMAKE_SOURCE_DIR}/systemd/70-ollama-proxy-rapl.rules"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/ollama-proxy)
install(FILES "${CMAKE_SOURCE_DIR}/README.md" "${CMAKE_SOURCE_DIR}/LICENSE" DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR "TGZ;DEB")
set(CPACK_PACKAGE_NAME "ollama-proxy")
set(CPACK_PACKAGE_CONTACT "ollama-proxy developers <dev@ollama-proxy.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_SOURCE_DIR}/LICENSE")
include(CPack)
