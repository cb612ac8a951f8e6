include(GNUInstallDirs)
if(TARGET ollama-proxy)
    install(TARGETS ollama-proxy RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES "${CMAKE_SOURCE_DIR}/config/config.yaml" "${CMAKE_SOURCE_DIR}/config/schema.json"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/ollama-proxy)

# install_for_prefix(TEMPLATE NAME DESTINATION): a file that names the binary's full path. That is known only when it is
# installed: `cmake --install --prefix` and a package have another prefix than the build was configured for.
function(install_for_prefix template name destination)
    install(CODE "
        set(name \"${name}\")
        set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
        configure_file(\"${CMAKE_SOURCE_DIR}/systemd/${template}\" \"${CMAKE_BINARY_DIR}/installed/${name}.service\" @ONLY)
        file(INSTALL \"${CMAKE_BINARY_DIR}/installed/${name}.service\"
             DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${destination}\")")
endfunction()
install_for_prefix(ie.fio.ollamaproxy.service.in ie.fio.ollamaproxy lib/systemd/user)
foreach(part IN ITEMS Efficiency Backends Routing Thermal SystemState)
    install_for_prefix(dbus-activation.service.in "ie.fio.OllamaProxy.${part}" ${CMAKE_INSTALL_DATADIR}/dbus-1/services)
endforeach()
install(FILES "${CMAKE_SOURCE_DIR}/systemd/ie.fio.ollamaproxy.socket" DESTINATION lib/systemd/user)
# what the tests let systemd read
configure_file("${CMAKE_SOURCE_DIR}/systemd/ie.fio.ollamaproxy.service.in"
               "${CMAKE_BINARY_DIR}/ie.fio.ollamaproxy.service" @ONLY)
install(FILES "${CMAKE_SOURCE_DIR}/systemd/strict.conf" "${CMAKE_SOURCE_DIR}/systemd/70-ollama-proxy-rapl.rules"
        DESTINATION ${CMAKE_INSTALL_DATADIR}/ollama-proxy)
install(FILES "${CMAKE_SOURCE_DIR}/README.md" "${CMAKE_SOURCE_DIR}/LICENSE" DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR "TGZ;DEB")
set(CPACK_PACKAGE_NAME "ollama-proxy")
set(CPACK_PACKAGE_CONTACT "ollama-proxy developers <dev@ollama-proxy.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_STRIP_FILES ON)
# the files above name full paths, so a package has a fixed place
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_SOURCE_DIR}/LICENSE")
include(CPack)
