//! A client with no more knowledge than a test needs: text goes out, text comes back.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use pluvio_sim::VCenter;
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) cookie: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    /// The class of the fault, if it is one.
    pub(crate) fn fault(&self) -> Option<&str> {
        let detail = self.body.split_once("<detail>")?.1;
        detail.split_once("xsi:type=\"")?.1.split('"').next()
    }

    /// The keys of the events returned, in order.
    pub(crate) fn keys(&self) -> Vec<i32> {
        self.events().map(|event| text(event, "key").parse().unwrap()).collect()
    }

    /// The classes of the events returned, in order.
    pub(crate) fn classes(&self) -> Vec<&str> {
        self.events().map(|event| event.split('"').next().unwrap()).collect()
    }

    fn events(&self) -> impl Iterator<Item = &str> {
        // Pages of events are spelled differently as a return value and as a property.
        let (by, event) = ("<returnval xsi:type=\"", "<Event xsi:type=\"");
        let by = if self.body.contains(by) { by } else { event };
        self.body.split(by).skip(1)
    }

    /// The text of the first element of that name.
    pub(crate) fn text(&self, name: &str) -> &str {
        text(&self.body, name)
    }
}

fn text<'a>(body: &'a str, name: &str) -> &'a str {
    let from = body.find(&format!("<{name}>")).or_else(|| body.find(&format!("<{name} "))).unwrap();
    let inner = body[from..].split_once('>').unwrap().1;
    inner.split_once(&format!("</{name}>")).unwrap().0
}

/// One client with at most one session.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: std::net::SocketAddr,
    cookie: Option<String>,
}

/// Why no answer came.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    pub(crate) fn anonymous(cloud: &VCenter) -> Self {
        Self { address: cloud.address(), cookie: None }
    }

    /// A client that is logged in.
    pub(crate) async fn of(cloud: &VCenter) -> Self {
        let mut client = Self::anonymous(cloud);
        assert_eq!(client.login("user", "pass").await.fault(), None);
        client
    }

    pub(crate) async fn login(&mut self, user: &str, password: &str) -> Answer {
        let credentials = format!("<userName>{user}</userName><password>{password}</password>");
        let answer = self.call("SessionManager", "Login", &credentials).await;
        self.cookie = answer.cookie.clone().or(self.cookie.take());
        answer
    }

    /// Calls a method of an object that is named like its class.
    pub(crate) async fn call(&self, object: &str, method: &str, parameters: &str) -> Answer {
        self.try_call((object, object), method, parameters).await.unwrap()
    }

    /// Calls a method of the object with that class and identifier.
    pub(crate) async fn call_on(
        &self,
        object: (&str, &str),
        method: &str,
        parameters: &str,
    ) -> Answer {
        self.try_call(object, method, parameters).await.unwrap()
    }

    /// Calls a method that may get no answer.
    pub(crate) async fn try_call(
        &self,
        (kind, id): (&str, &str),
        method: &str,
        parameters: &str,
    ) -> Result<Answer, Failure> {
        let envelope = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><e:Body>\
             <{method} xmlns=\"urn:vim25\"><_this type=\"{kind}\">{id}</_this>{parameters}\
             </{method}></e:Body></e:Envelope>"
        );
        self.send(Method::POST, "/sdk", envelope).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Answer, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "text/xml; charset=\"utf-8\"");
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let response = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = response.status();
        let cookie = response.headers().get(SET_COOKIE);
        let cookie = cookie.map(|v| v.to_str().map(|v| v.split(';').next().map(str::to_owned)));
        let cookie = cookie.transpose()?.flatten();
        let body = response.into_body().collect().await?.to_bytes();
        drop(sender);
        connection.await??;
        Ok(Answer { status, cookie, body: String::from_utf8(body.to_vec())? })
    }

    /// Creates an event collector and returns its identifier.
    pub(crate) async fn collector(&self, filter: &str) -> String {
        let filter = format!("<filter>{filter}</filter>");
        let answer = self.call("EventManager", "CreateCollectorForEvents", &filter).await;
        assert_eq!(answer.fault(), None, "{}", answer.body);
        answer.text("returnval").to_owned()
    }

    /// Calls a method of an event collector.
    pub(crate) async fn on(&self, collector: &str, method: &str, parameters: &str) -> Answer {
        self.call_on(("EventHistoryCollector", collector), method, parameters).await
    }

    /// Reads forward.
    pub(crate) async fn next(&self, collector: &str, max: usize) -> Answer {
        self.on(collector, "ReadNextEvents", &format!("<maxCount>{max}</maxCount>")).await
    }

    /// Reads forward until nothing is left, and returns all keys.
    pub(crate) async fn drain(&self, collector: &str) -> Vec<i32> {
        let mut keys = Vec::new();
        loop {
            let page = self.next(collector, 1000).await.keys();
            if page.is_empty() {
                return keys;
            }
            keys.extend(page);
        }
    }

    /// A property of an object, as pyVmomi asks for it.
    pub(crate) async fn fetch(&self, object: (&str, &str), path: &str) -> Answer {
        self.call_on(object, "Fetch", &format!("<prop>{path}</prop>")).await
    }

    /// The identifier of the first object of a class.
    pub(crate) async fn first(&self, class: &str) -> String {
        let parameters = format!(
            "<container type=\"Folder\">group-d1</container><type>{class}</type>\
             <recursive>true</recursive>"
        );
        let view = self.call("ViewManager", "CreateContainerView", &parameters).await;
        let view = view.text("returnval").to_owned();
        self.fetch(("ContainerView", &view), "view").await.text("returnval").to_owned()
    }

    /// Reads properties of the objects that one object selects.
    pub(crate) async fn retrieve(&self, spec: &str, options: &str) -> Answer {
        let parameters = format!("<specSet>{spec}</specSet><options>{options}</options>");
        let object = ("PropertyCollector", "propertyCollector");
        self.call_on(object, "RetrievePropertiesEx", &parameters).await
    }
}

/// A selection of one object and one of its properties.
pub(crate) fn one(kind: &str, id: &str, path: &str) -> String {
    format!(
        "<propSet><type>{kind}</type><pathSet>{path}</pathSet></propSet>\
         <objectSet><obj type=\"{kind}\">{id}</obj></objectSet>"
    )
}
