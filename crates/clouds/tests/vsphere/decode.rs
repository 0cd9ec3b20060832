//! Single events: what is read of them, what odd ones become, and both forms of JSON.

use pluvio_clouds::vsphere::{
    DataFormat, EventClass, NativeEvent, Redaction, decode_page, redact_recorded,
};

const HEAD: &str = "<key>7</key><chainId>6</chainId><createdTime>2026-11-20T04:17:06.500Z</createdTime><userName>u</userName>";

fn page(body: &str) -> Vec<Result<NativeEvent, pluvio_clouds::vsphere::Malformed>> {
    let body = format!(
        "<R xmlns='urn:vim25' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' \
         xmlns:xsd='http://www.w3.org/2001/XMLSchema'>{body}</R>"
    );
    decode_page(body.as_bytes(), "returnval").unwrap().events
}

fn event(class: &str, inside: &str) -> NativeEvent {
    let body = format!("<returnval xsi:type='{class}'>{inside}</returnval>");
    page(&body).remove(0).unwrap()
}

fn vi_json(event: &NativeEvent) -> String {
    event.render(DataFormat::ViJson, &Redaction::default()).json
}

/// The data in govmomi's form, after the common fields of [`HEAD`].
fn own_fields(event: &NativeEvent) -> String {
    let json = event.render(DataFormat::Govmomi, &Redaction::default()).json;
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    json.split_once(r#""ChangeTag":"","#).map_or(json.clone(), |(_, rest)| rest.to_owned())
}

#[test]
fn what_the_envelope_needs_is_read() {
    let event = event(
        "vim25:VmPoweredOnEvent",
        &format!(
            "{HEAD}<datacenter><name>D</name><datacenter type='Datacenter'>dc-2</datacenter></datacenter>\
             <vm><name>v</name><vm type='VirtualMachine'>vm-57</vm></vm>\
             <fullFormattedMessage>v &lt;on&gt;</fullFormattedMessage><template>false</template>"
        ),
    );
    assert_eq!((event.key, event.chain_id), (Some(7), Some(6)));
    assert_eq!(event.created_time.unwrap().to_string(), "2026-11-20T04:17:06.5Z");
    assert_eq!(event.created_time_text.as_deref(), Some("2026-11-20T04:17:06.500Z"));
    assert_eq!(event.class, "VmPoweredOnEvent");
    assert_eq!(event.event_class, EventClass::Event);
    assert_eq!(event.type_name(), "VmPoweredOnEvent");
    assert_eq!(event.subject().unwrap().to_string(), "VirtualMachine/vm-57");
    assert_eq!(event.message.as_deref(), Some("v <on>"));
    assert!(event.known && event.flaws.is_empty());
}

#[test]
fn an_event_ex_is_named_by_its_type_id() {
    let event = event(
        "EventEx",
        &format!(
            "{HEAD}<eventTypeId>com.x</eventTypeId><severity>error</severity>\
             <arguments><key>n</key><value xsi:type='xsd:int'>5</value></arguments>\
             <arguments><key>l</key><value xsi:type='ArrayOfString'><string>a</string><string>b</string></value></arguments>\
             <arguments><key>API-Token</key><value xsi:type='xsd:string'>hunter2</value></arguments>\
             <objectId>group-d1</objectId><objectType>Folder</objectType>"
        ),
    );
    assert_eq!((event.event_class.as_str(), event.type_name()), ("eventex", "com.x"));
    assert_eq!(event.severity.as_deref(), Some("error"));
    assert_eq!(event.subject().unwrap().to_string(), "Folder/group-d1");
    assert_eq!(
        own_fields(&event),
        r#""EventTypeId":"com.x","Severity":"error","Message":"","Arguments":[{"Key":"n","Value":5},{"Key":"l","Value":{"String":["a","b"]}},{"Key":"API-Token","Value":"[redacted]"}],"ObjectId":"group-d1","ObjectType":"Folder","ObjectName":"","Fault":null}"#
    );
    assert_eq!(
        vi_json(&event),
        r#"{"_typeName":"EventEx","key":7,"chainId":6,"createdTime":"2026-11-20T04:17:06.500Z","userName":"u","eventTypeId":"com.x","severity":"error","arguments":[{"_typeName":"KeyAnyValue","key":"n","value":{"_typeName":"int","_value":5}},{"_typeName":"KeyAnyValue","key":"l","value":{"_typeName":"ArrayOfString","_value":["a","b"]}},{"_typeName":"KeyAnyValue","key":"API-Token","value":"[redacted]"}],"objectId":"group-d1","objectType":"Folder"}"#
    );
}

#[test]
fn the_class_alone_decides_how_an_event_is_named() {
    let event = event("VmPoweredOnEvent", &format!("{HEAD}<eventTypeId>no</eventTypeId>"));
    assert_eq!((event.event_class, event.type_name()), (EventClass::Event, "VmPoweredOnEvent"));
}

#[test]
fn unknown_elements_follow_the_known_ones() {
    let event = event(
        "VmPoweredOnEvent",
        &format!(
            "{HEAD}<site><name>t</name><site type='Site'>site-1</site></site><template>true</template>\
             <note>a1</note><many>1</many><many>2</many><apiSecret>x</apiSecret><n xsi:type='xsd:long'>5</n>"
        ),
    );
    assert_eq!(
        own_fields(&event),
        r#""Template":true,"Site":{"Name":"t","Site":{"Type":"Site","Value":"site-1"}},"Note":"a1","Many":["1","2"],"ApiSecret":"[redacted]","N":5}"#
    );
    assert!(event.flaws.is_empty());
}

#[test]
fn what_api_9_1_added_to_events_stands_at_its_place_and_a_transit_gateway_is_a_subject() {
    let gateway = "<tgw><name>t</name><tgw type='TransitGateway'>tgw-1</tgw></tgw>";
    let event = event(
        "VmPoweredOnEvent",
        &format!("{HEAD}{gateway}<auditId>a1</auditId><template>true</template>"),
    );
    let json = vi_json(&event);
    let at = |part: &str| json.find(part).unwrap();
    assert!(
        at("\"userName\"") < at("\"tgw\"") && at("\"tgw\"") < at("\"auditId\":\"a1\""),
        "{json}"
    );
    assert!(at("\"auditId\"") < at("\"template\""), "{json}");
    assert_eq!(event.subject().unwrap().to_string(), "TransitGateway/tgw-1");
}

#[test]
fn an_unknown_class_decodes_as_far_as_it_is_an_event() {
    let event =
        event("BrandNewEvent", &format!("{HEAD}<detail xsi:type='NewDetail'><a>1</a></detail>"));
    assert!(!event.known && event.flaws.is_empty());
    assert_eq!((event.key, event.type_name()), (Some(7), "BrandNewEvent"));
    assert_eq!(own_fields(&event), r#""Detail":{"_typeName":"NewDetail","A":"1"}}"#);
    assert!(vi_json(&event).starts_with(r#"{"_typeName":"BrandNewEvent","key":7,"#));
}

#[test]
fn fields_that_came_later_are_printed_only_when_present() {
    let task =
        |inside: &str| event("TaskEvent", &format!("{HEAD}<info><key>k</key>{inside}</info>"));
    assert!(!own_fields(&task("")).contains("ProgressDetails"));
    let with =
        "<progressDetails><key>a</key><value xsi:type='xsd:boolean'>1</value></progressDetails>";
    let with = own_fields(&task(with));
    assert!(
        with.contains(r#""Progress":0,"ProgressDetails":[{"Key":"a","Value":true}],"Reason""#),
        "{with}"
    );
}

#[test]
fn a_value_that_breaks_its_promise_is_kept_as_text_and_told() {
    let event = event(
        "VmPoweredOnEvent",
        "<key>x</key><createdTime>yesterday</createdTime><template>maybe</template>",
    );
    assert_eq!((event.key, event.created_time), (None, None));
    assert_eq!(event.flaws.len(), 3, "{:?}", event.flaws);
    let rendered = event.render(DataFormat::Govmomi, &Redaction::default());
    assert!(rendered.json.starts_with(r#"{"Key":"x","ChainId":0,"CreatedTime":"yesterday","#));
    assert_eq!(
        rendered.flaws,
        ["`key` is no whole number", "`createdTime` is no time", "`template` is no boolean"]
    );
}

#[test]
fn additions_to_the_redaction_are_counted_too() {
    let event = event(
        "AccountCreatedEvent",
        &format!("{HEAD}<spec><id>i</id><password>p</password><description>d</description></spec>"),
    );
    let rendered =
        event.render(DataFormat::Govmomi, &Redaction::with(["spec.description", "userName"]));
    assert_eq!(rendered.redacted, 3);
    assert!(rendered.json.contains(r#""UserName":"[redacted]""#), "{}", rendered.json);
    assert!(
        rendered.json.contains(r#"{"Id":"i","Password":"[redacted]","Description":"[redacted]"}"#)
    );
}

#[test]
fn a_value_is_secret_if_its_key_its_type_or_its_name_says_so() {
    let redacted = |class: &str, inside: &str| {
        let event = event(class, &format!("{HEAD}{inside}"));
        let redaction = Redaction::with(["guestinfo.pin", "annotation"]);
        [DataFormat::Govmomi, DataFormat::ViJson].map(|format| {
            let rendered = event.render(format, &redaction);
            let again = redact_recorded(&event.render(format, &Redaction::default()).json);
            assert_eq!(again, None, "what was recorded needs no more");
            (rendered.redacted, rendered.json)
        })
    };
    let option = |key: &str| {
        format!(
            "<extraConfig><key>{key}</key><value xsi:type='xsd:string'>hunter2</value></extraConfig>"
        )
    };
    let property = |id: &str, kind: &str| {
        format!(
            "<vAppConfig xsi:type='VmConfigSpec'><property><operation>add</operation><info><key>0</key><id>{id}</id>\
             <type>{kind}</type><defaultValue>hunter2</defaultValue><value>hunter2</value></info></property></vAppConfig>"
        )
    };
    for (inside, secrets) in [
        (option("guestinfo.api_key"), 1),
        (option("ssh-private-key"), 1),
        (option("guestinfo.pin"), 1),
        (option("x.annotation"), 1),
        (property("root_password", "string"), 2),
        (property("root", "password(8..)"), 2),
        (property("root", ""), 2),
    ] {
        let inside = format!("<configSpec>{inside}</configSpec>");
        for (redacted, json) in redacted("VmReconfiguredEvent", &inside) {
            assert_eq!(redacted, secrets, "{json}");
            assert!(!json.contains("hunter2"), "{json}");
        }
    }
    let field = "<fullFormattedMessage>root password is hunter2</fullFormattedMessage>\
        <fieldKey>1</fieldKey><name>root password</name><value>hunter2</value><prevState>hunter2</prevState>";
    for (redacted, json) in redacted("CustomFieldValueChangedEvent", field) {
        assert_eq!(redacted, 3, "{json}");
        assert!(!json.contains("hunter2"), "{json}");
    }
    for (redacted, json) in
        redacted("VmReconfiguredEvent", &format!("<configSpec>{}</configSpec>", option("pins")))
    {
        assert_eq!((redacted, json.contains("hunter2")), (0, true), "{json}");
    }
}

#[test]
fn a_broken_event_costs_only_itself() {
    let whole =
        |key| format!("<returnval xsi:type='VmPoweredOnEvent'><key>{key}</key></returnval>");
    let broken = "<returnval xsi:type='VmPoweredOnEvent'><key>2</chainId></returnval>";
    let events = page(&format!("{}{broken}{}", whole(1), whole(3)));
    let keys: Vec<_> =
        events.iter().map(|event| event.as_ref().map(|event| event.key).ok()).collect();
    assert_eq!(keys, [Some(Some(1)), None, Some(Some(3))]);
    let malformed = events[1].as_ref().unwrap_err();
    let kept = malformed.kept(&Redaction::default());
    assert_eq!(kept.text, "<returnval xsi:type='VmPoweredOnEvent'>");
    assert_eq!(malformed.identity(&Redaction::default()), broken);
    assert!(malformed.reason.is_some() && malformed.bytes == broken.len());
}

#[test]
fn the_raw_element_is_kept() {
    let event = event("VmPoweredOnEvent", HEAD);
    assert_eq!(event.raw(), format!("<returnval xsi:type='VmPoweredOnEvent'>{HEAD}</returnval>"));
}
